import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { parseMapping } from '../../api/cli/post/mapping.ts'
import { readRows } from '../../api/cli/post/rows.ts'
import { bankFile, korunas, mappingFile, skipped, sumBankFile } from './independent-sum.ts'

test('the mapping makes every row of the bank file the transaction that the bank meant', {
  skip: skipped,
}, async () => {
  const sums = await sumBankFile(bankFile)
  // As published beside the file.
  assert.equal(sums.rows, 49_102)
  assert.deepEqual([sums.credits.rows, korunas(sums.credits.balance)], [22_994, '177366296.30'])
  assert.deepEqual([sums.debits.rows, korunas(sums.debits.balance)], [26_108, '138120153.50'])
  assert.equal(sums.accounts.size, 1_229)

  const mapping = parseMapping(await readFile(mappingFile, 'utf8'))
  assert.deepEqual(mapping.open, { asset: 'CZK', overdraft: '20000.00', normal: 'credit' })
  const accounts = new Map<string, { balance: bigint; rows: number }>()
  const house = new Map<string, { balance: bigint; rows: number }>()
  const move = (sums: typeof accounts, id: string, haler: bigint) => {
    const { balance, rows } = sums.get(id) ?? { balance: 0n, rows: 0 }
    sums.set(id, { balance: balance + haler, rows: rows + 1 })
  }
  const ids = new Set<string>()
  for await (const row of readRows(createReadStream(bankFile), mapping)) {
    assert.equal(row.kind, 'row', JSON.stringify(row))
    if (row.kind !== 'row') continue
    const { command } = row
    ids.add(command.id)
    assert.ok(command.type === 'credit' || command.type === 'debit')
    // Normalised amounts have no zeros at the end.
    const [whole = '', part = ''] = command.amount.split('.')
    const haler = BigInt(whole + part.padEnd(2, '0'))
    move(accounts, command.account, command.type === 'credit' ? haler : -haler)
    if (command.type === 'credit') move(house, command.from, -haler)
    else move(house, command.to, haler)
  }
  assert.equal(ids.size, 49_102)
  assert.deepEqual(accounts, sums.accounts)
  assert.deepEqual(house, sums.house)
})

test('single rows: empty operation, blank symbol, partner bank', { skip: skipped }, async () => {
  const mapping = parseMapping(await readFile(mappingFile, 'utf8'))
  const wanted = new Map<string, unknown>()
  for await (const row of readRows(createReadStream(bankFile), mapping)) {
    if (row.kind !== 'row') continue
    if (row.line === 2 || row.line === 30_002 || row.line === 49_103)
      wanted.set(`line ${row.line}`, JSON.parse(row.json))
  }
  assert.deepEqual(Object.fromEntries(wanted), {
    'line 2': {
      id: 'cz-695247',
      type: 'credit',
      account: 'acct-2378:cash',
      amount: '700.00',
      asset: 'CZK',
      businessDate: '1993-01-01',
      channel: 'cash-desk',
      reference: 'VKLAD',
    },
    'line 30002': {
      id: 'cz-29408',
      type: 'debit',
      account: 'acct-96:cash',
      amount: '46.00',
      asset: 'CZK',
      businessDate: '1994-01-08',
      channel: 'interbank',
      reference: 'PREVOD NA UCET POJISTNE',
      metadata: { partnerBank: 'EF', partnerAccount: '49409562' },
    },
    'line 49103': {
      id: 'cz-3525493',
      type: 'credit',
      account: 'acct-10904:cash',
      amount: '18.90',
      from: 'house:interest-paid',
      asset: 'CZK',
      businessDate: '1994-03-31',
      reference: 'UROK',
    },
  })
})
