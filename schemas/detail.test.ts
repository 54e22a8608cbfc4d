// What is stored of a decision is enough to say again what was asked and what was answered.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { history } from '../actors/testing/histories.ts'
import { firstDifference } from '../core/compare.ts'
import { capture, credit, debit, open } from '../core/testing/commands.ts'
import { TestLedger } from '../core/testing/ledger.ts'
import { answerTo } from './answer.ts'
import { channelOf, detailOf, givenOf } from './detail.ts'

test('the body, the facts and the answer of any decision are rebuilt from its rows and its detail', () => {
  const kinds = new Map<string, number>()
  fc.assert(
    fc.property(history('', { min: 30, max: 80 }), (bursts) => {
      const ledger = new TestLedger()
      for (const { waitMs, commands } of bursts) {
        ledger.wait(waitMs)
        for (const command of commands) ledger.post(command)
      }
      for (const decided of ledger.journal) {
        const detail = detailOf(decided)
        const { command, facts } = givenOf(decided.command.id, decided.rows, channelOf(decided.command), detail)
        assert.equal(firstDifference(decided.command, command), undefined, JSON.stringify([decided.command, command]))
        assert.equal(command.id, decided.command.id)
        assert.equal(JSON.stringify(facts), JSON.stringify(decided.facts))
        assert.deepEqual(
          answerTo({ kind: 'decided', decided: { ...decided, command, facts } }, command, 0),
          answerTo({ kind: 'decided', decided }, decided.command, 0),
        )
        const kind = `${decided.command.type}${detail === undefined ? ' plain' : ''}`
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      }
    }),
    { numRuns: 60 },
  )
  for (const kind of ['debit plain', 'credit plain', 'transfer plain', 'expire plain', 'debit', 'credit', 'transfer'])
    assert.ok((kinds.get(kind) ?? 0) > 5, `${kind}: ${JSON.stringify([...kinds])}`)
})

test('a plain debit or credit needs no detail; one with anything more does, and so does a refusal', () => {
  const given = (): TestLedger =>
    new TestLedger().accept(open({ account: 'c:cash' }), credit({ id: '0', amount: '100' }))
  const needs = (command: Parameters<TestLedger['post']>[0]): boolean => {
    const ledger = given()
    ledger.post(command)
    const decided = ledger.journal.at(-1)
    assert.ok(decided !== undefined)
    return detailOf(decided) !== undefined
  }
  for (const command of [debit(), credit(), debit({ channel: 'alipay' }), debit({ amount: '0.01' })])
    assert.equal(needs(command), false, JSON.stringify(command))
  for (const command of [
    debit({ asset: 'CNY' }),
    debit({ businessDate: '2027-01-30' }),
    debit({ reference: '' }),
    debit({ metadata: '{}' }),
    debit({ amount: '100.01' }),
    debit({ to: 'house:new' }),
    capture(),
  ])
    assert.equal(needs(command), true, JSON.stringify(command))
})

test('a transaction whose detail was erased still has its id, its type and its rows', () => {
  const ledger = new TestLedger().accept(
    open({ account: 'c:cash' }),
    credit({ amount: '100' }),
    debit({ reference: 'a name' }),
  )
  const decided = ledger.journal.at(-1)
  assert.ok(decided !== undefined)
  const { command, facts } = givenOf('d', decided.rows, undefined, undefined)
  assert.equal(facts, undefined)
  assert.deepEqual([command.id, command.type], ['d', 'debit'])
})
