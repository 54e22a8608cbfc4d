import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCaptured } from '../testing/captured-io.ts'
import { type FakeServer, startFakeServer } from '../testing/fake-server.ts'

interface Bench {
  readonly server: FakeServer
  /** Writes a file and gives its path. */
  file(name: string, content: string): Promise<string>
  post(argv: readonly string[], options?: { input?: string; tty?: boolean }): ReturnType<typeof runCaptured>
}

function withServer(name: string, run: (bench: Bench) => Promise<void>): void {
  test(name, async (t) => {
    const server = await startFakeServer()
    const folder = await mkdtemp(join(tmpdir(), 'post-test-'))
    t.after(() => server.close())
    t.after(() => rm(folder, { recursive: true }))
    await run({
      server,
      async file(name, content) {
        await writeFile(join(folder, name), content)
        return join(folder, name)
      },
      post: (argv, options) => runCaptured(['post', ...argv], { ...options, env: { SUANPAN_URL: server.url } }),
    })
  })
}

const mapping = (more: object = {}) =>
  JSON.stringify({
    id: 'b-{no}',
    type: { column: 'kind', values: { C: 'credit', D: 'debit' } },
    account: 'cust-{customer}:cash',
    amount: { column: 'amount' },
    asset: 'CZK',
    open: { asset: 'CZK', overdraft: '5.00' },
    ...more,
  })
const csv = (...rows: string[]) => `no,kind,customer,amount\n${rows.map((row) => `${row}\n`).join('')}`
const credits = (rows: number, customers = 10) =>
  csv(...Array.from({ length: rows }, (_, n) => `${n},C,${n % customers},1.00`))

const batches = (server: FakeServer) => server.requests.filter((request) => request.endsWith('/batch')).length
const opened = (server: FakeServer) => server.requests.filter((request) => request === 'POST /v1/accounts').length

withServer(
  'a CSV file is posted, its accounts opened on the way; a second run posts nothing',
  async ({ server, file, post }) => {
    const argv = [await file('a.csv', credits(1_000)), '-m', await file('m.json', mapping())]
    const first = await post(argv)
    assert.equal(first.code, 0, first.err)
    assert.match(first.out, /^1,000 rows of a\.csv in .*\n {2}posted {4}1,000\n {2}replayed {6}0\n$/)
    assert.match(first.err, /10 accounts opened \(CZK, overdraft 5\.00\)/)
    assert.equal(server.accounts.size, 10)
    assert.equal(server.accounts.get('cust-3:cash')?.balance, 100_00n)
    const second = await post(argv)
    assert.equal(second.code, 0)
    assert.match(second.out, /posted {8}0\n {2}replayed {2}1,000 {2}posted by an earlier run/)
    assert.equal(opened(server), 10)
    assert.equal(server.accounts.get('cust-3:cash')?.balance, 100_00n)
  },
)

withServer('NDJSON comes from standard input and must find its accounts', async ({ server, post }) => {
  const input = '{"id":"n-1","type":"credit","account":"cust-1:cash","amount":"1.00"}\n'
  const missing = await post(['-'], { input })
  assert.equal(missing.code, 4)
  assert.match(missing.err, /1 account missing:\n {2}cust-1:cash \(line 1\)\nNothing was sent/)
  server.accounts.set('cust-1:cash', {
    id: 'cust-1:cash',
    asset: 'CZK',
    overdraft: 0n,
    balance: 0n,
    seq: 0,
    status: 'open',
  })
  const ran = await post(['-'], { input })
  assert.equal(ran.code, 0, ran.err)
  assert.match(ran.out, /^1 row of standard input/)
})

withServer(
  'missing accounts, wrong assets and too many decimals stop it before any id is used',
  async ({ server, file, post }) => {
    const content = csv(...Array.from({ length: 30 }, (_, n) => `${n},C,${n},1.00`))
    const path = await file('a.csv', content)
    const noOpen = await post([path, '-m', await file('m.json', mapping({ open: undefined }))])
    assert.equal(noOpen.code, 4)
    assert.match(
      noOpen.err,
      /30 accounts missing:\n( {2}cust-\d+:cash \(line \d+\)\n){10} {2}and 20 more\nNothing was sent/,
    )

    const noAsset = await post([path, '-m', await file('m.json', mapping({ asset: 'XYZ', open: undefined }))])
    assert.equal(noAsset.code, 4)
    assert.match(noAsset.err, /there is no asset XYZ \(line 2\)/)

    const decimals = await post([
      await file('b.csv', csv('1,C,1,1.00', '2,C,1,1.005')),
      '-m',
      await file('m.json', mapping()),
    ])
    assert.equal(decimals.code, 4)
    assert.match(decimals.err, /CZK has 2 decimals, the amount of line 3 has 3/)

    server.accounts.set('cust-7:cash', {
      id: 'cust-7:cash',
      asset: 'USD',
      overdraft: 0n,
      balance: 0n,
      seq: 0,
      status: 'open',
    })
    const mismatch = await post([path, '-m', await file('m.json', mapping())])
    assert.equal(mismatch.code, 4)
    assert.match(mismatch.err, /cust-7:cash has USD, line 9 says CZK/)

    assert.equal(opened(server), 0)
    assert.equal(batches(server), 0)
    assert.equal(server.decided.size, 0)
  },
)

withServer(
  'rows that do not map stop it, with line and field; --skip-bad leaves them out',
  async ({ server, file, post }) => {
    const path = await file('a.csv', csv('1,C,1,1.00', '2,C,1,one', '3,X,1,1.00', '4,C,1', '5,C,1,1.00'))
    const argv = [path, '-m', await file('m.json', mapping())]
    const stopped = await post(argv)
    assert.equal(stopped.code, 4)
    assert.match(
      stopped.err,
      /3 rows of a\.csv do not map:\n {2}line 3: amount: "one".*\n {2}line 4: type: no entry for "X".*\n {2}line 5: has 3 columns/,
    )
    assert.deepEqual(server.requests, [])
    const skipped = await post([...argv, '--skip-bad'])
    assert.equal(skipped.code, 1)
    assert.match(skipped.out, /posted {4}2/)
  },
)

withServer('it goes on from the first unanswered row after lost connections', async ({ server, file, post }) => {
  server.faults.cutAfterAnswers = [300, 0, 500]
  server.faults.cutInsideLine = true
  const ran = await post([await file('a.csv', credits(2_000)), '-m', await file('m.json', mapping())])
  assert.equal(ran.code, 0, ran.err)
  assert.match(ran.out, /posted {4}2,000\n {2}replayed {6}0/)
  assert.match(ran.err, /was lost.*going on in/)
  assert.equal(batches(server), 4)
  assert.equal(server.accounts.get('cust-0:cash')?.balance, 200_00n)
})

withServer('an account is not opened in an asset that its rows do not have', async ({ server, file, post }) => {
  const path = await file('a.csv', 'no,kind,customer,amount,cur\n1,C,1,1.00,CZK\n2,C,1,1.00,USD\n')
  const ran = await post([path, '-m', await file('m.json', mapping({ asset: '{cur}' }))])
  assert.equal(ran.code, 4, ran.out)
  assert.match(ran.err, /cust-1:cash would be opened in CZK, line 3 says USD\nNothing was sent/)
  assert.equal(opened(server), 0)
  assert.equal(server.decided.size, 0)
})

withServer(
  'a row that stands twice in the file is not said to come from an earlier run alone',
  async ({ file, post }) => {
    const ran = await post([
      await file('a.csv', csv('1,C,1,1.00', '1,C,1,1.00')),
      '-m',
      await file('m.json', mapping()),
    ])
    assert.match(ran.out, /posted {4}1\n {2}replayed {2}1 {2}posted by an earlier run or row, not again/)
  },
)

withServer('the folder for temporary files is missing: said without a stack', async ({ server, file, post }) => {
  const argv = [await file('a.csv', credits(1)), '-m', await file('m.json', mapping())]
  const { TMPDIR } = process.env
  process.env.TMPDIR = '/does/not/exist'
  try {
    const ran = await post(argv)
    assert.equal(ran.code, 4)
    assert.match(
      ran.err,
      /^error: no temporary file can be kept in \/does\/not\/exist \(TMPDIR\): ENOENT.*\nNo transaction/,
    )
    assert.deepEqual(server.requests, [])
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
  }
})

withServer('429 to any of its requests is waited out', async ({ server, file, post }) => {
  server.faults.overloaded = 3
  const ran = await post([await file('a.csv', credits(50)), '-m', await file('m.json', mapping())])
  assert.equal(ran.code, 0, ran.err)
  assert.match(ran.out, /posted {4}50/)
})

withServer(
  'declined and refused rows are said by code with their lines; exit code 1',
  async ({ server, file, post }) => {
    const path = await file('a.csv', csv('1,C,1,1.00', '2,D,1,100.00', '3,D,2,100.00', '4,C,2,1.00', '5,D,3,1.00'))
    server.accounts.set('cust-3:cash', {
      id: 'cust-3:cash',
      asset: 'CZK',
      overdraft: 0n,
      balance: 0n,
      seq: 0,
      status: 'frozen',
    })
    const ran = await post([path, '-m', await file('m.json', mapping())])
    assert.equal(ran.code, 1)
    assert.match(ran.out, /declined +3 {2}declined for good/)
    assert.match(ran.out, / {4}insufficient_funds {2}2 {2}lines 3 4\n/)
    assert.match(ran.out, / {4}account_frozen {6}1 {2}line 6\n/)
  },
)

withServer(
  '--retry-declined sends what an earlier run saw declined under new ids, and never what is posted',
  async ({ server, file, post }) => {
    const path = await file('a.csv', csv('1,C,1,1.00', '2,D,1,50.00', '3,D,1,100.00'))
    const argv = [path, '-m', await file('m.json', mapping())]
    assert.equal((await post([...argv, '--retry-declined', '.2'])).code, 1)
    // Declined in that very run: not tried again at once.
    assert.ok(!server.received.includes('b-2.2'))
    const account = server.accounts.get('cust-1:cash')
    assert.ok(account !== undefined)

    account.overdraft = 60_00n
    const second = await post([...argv, '--retry-declined', '.2'])
    assert.equal(second.code, 1)
    assert.match(second.out, /2 declined rows sent again as <id>\.2: 1 posted, 0 replayed/)
    assert.equal(account.balance, -49_00n)

    account.overdraft = 500_00n
    const third = await post([...argv, '--retry-declined', '.2'])
    assert.equal(third.code, 0, third.out)
    assert.match(
      third.out,
      /2 declined rows sent again as <id>\.2: 0 posted, 1 replayed\n1 declined row sent again as <id>\.2\.2: 1 posted/,
    )
    assert.equal(account.balance, -149_00n)
    assert.deepEqual([...server.decided.keys()].sort(), [
      'cust-1 b-1',
      'cust-1 b-2',
      'cust-1 b-2.2',
      'cust-1 b-3',
      'cust-1 b-3.2',
      'cust-1 b-3.2.2',
    ])

    const fourth = await post([...argv, '--retry-declined', '.2'])
    assert.equal(fourth.code, 0)
    assert.equal(account.balance, -149_00n)
  },
)

withServer('an id that stands with another body is a conflict, not a second posting', async ({ file, post }) => {
  const m = await file('m.json', mapping())
  await post([await file('a.csv', csv('1,C,1,1.00')), '-m', m])
  const ran = await post([await file('b.csv', csv('1,C,1,2.00')), '-m', m])
  assert.equal(ran.code, 1)
  assert.match(ran.out, /conflict +1 {2}the id stands in the ledger with another body\n {4}id_conflict +1 {2}line 2/)
})

withServer('--dry-run shows the first transactions and asks the server nothing', async ({ server, file, post }) => {
  const ran = await post([
    await file('a.csv', credits(100)),
    '-m',
    await file('m.json', mapping()),
    '--dry-run',
    '--limit',
    '50',
  ])
  assert.equal(ran.code, 0)
  assert.equal(ran.out.split('\n').length, 5 + 1)
  assert.equal(
    ran.out.split('\n')[0],
    '{"id":"b-0","type":"credit","account":"cust-0:cash","amount":"1.00","asset":"CZK"}',
  )
  assert.match(ran.err, /^50 rows of a\.csv would be sent/)
  assert.deepEqual(server.requests, [])
})

withServer('--limit sends the first rows; a later run without it sends the rest', async ({ server, file, post }) => {
  const argv = [await file('a.csv', credits(100)), '-m', await file('m.json', mapping())]
  assert.match((await post([...argv, '--limit', '30'])).out, /posted {4}30/)
  assert.equal(server.received.length, 30)
  assert.match((await post(argv)).out, /posted {4}70\n {2}replayed {2}30/)
})

withServer('wrong arguments and mappings are exit code 2 and send nothing', async ({ server, file, post }) => {
  const path = await file('a.csv', credits(1))
  const good = await file('m.json', mapping())
  const table: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /FILE is missing/],
    [[path, 'b.csv'], /unexpected argument "b\.csv"/],
    [[path, '--maping', good], /there is no option --maping; did you mean --mapping\?/],
    [[path, '--mapping'], /--mapping needs a value: --mapping FILE/],
    [[path, '--dry-run=yes'], /--dry-run takes no value/],
    [[path, '-m', good, '--limit', '0'], /--limit must be a whole number above zero/],
    [[path, '-m', good, '--retry-declined', 'a b'], /--retry-declined needs a suffix/],
    [[path, '-m', good, '--retry-declined', '-r2'], /begins with a dash: --retry-declined=-/],
    [[path, '-m', good, '--url', 'localhost:80'], /--url is not an http or https URL/],
    [[`${path}x`, '-m', good], /cannot read .*: there is no such file/],
    [[path, '-m', `${good}x`], /cannot read the mapping .*: there is no such file/],
    [[path, '-m', await file('bad.json', mapping({ acount: 'x' }))], /bad\.json: acount: is not a member of a mapping/],
    [
      [path, '-m', await file('col.json', mapping({ account: '{custommer}:cash' }))],
      /account: there is no column "custommer"; did you mean customer\?/,
    ],
  ]
  for (const [argv, message] of table) {
    const ran = await post(argv)
    assert.equal(ran.code, 2, `${argv.join(' ')}: ${ran.err}`)
    assert.match(ran.err, message)
  }
  assert.deepEqual(server.requests, [])
})

withServer(
  'a server that is not there is exit code 3; one that goes away for good too, with what was done',
  async ({ server, file, post }) => {
    const argv = [await file('a.csv', credits(20)), '-m', await file('m.json', mapping())]
    const gone = await post([...argv, '--url', 'http://127.0.0.1:1'])
    assert.equal(gone.code, 3)
    assert.match(gone.err, /Nothing answers at http:\/\/127\.0\.0\.1:1\. Start a server/)
    const secret = await post([...argv, '--url', 'http://me:secret@127.0.0.1:1'])
    assert.match(secret.err, /Nothing answers at http:\/\/me:\*\*\*@127\.0\.0\.1:1/)
    const elsewhere = await post([...argv, '--url', `${server.url}/v2`])
    assert.equal(elsewhere.code, 3)
    assert.match(elsewhere.err, /does not say that it is ready.*check --url/)
    server.faults.endAfterAnswers = [5, ...Array.from({ length: 20 }, () => 0)]
    const ran = await post(argv)
    assert.equal(ran.code, 3)
    assert.match(ran.out, /^5 rows of a\.csv/)
    assert.match(ran.err, /15 rows without an answer\. Run the same again: nothing is posted twice\./)
  },
)

withServer('an empty file and a broken file are exit code 4', async ({ file, post }) => {
  const m = await file('m.json', mapping())
  const empty = await file('a.csv', csv())
  assert.equal((await post([empty, '-m', m])).code, 4)
  assert.equal((await post([empty, '-m', m, '--dry-run'])).code, 4)
  const broken = await post([await file('b.csv', csv('1,C,1,"1.00')), '-m', m])
  assert.equal(broken.code, 4)
  assert.match(broken.err, /b\.csv: line 2: .*[Qq]uote/)
})

withServer('on a terminal there is a bar with colours, and it is cleared', async ({ file, post }) => {
  const ran = await post([await file('a.csv', credits(500)), '-m', await file('m.json', mapping())], { tty: true })
  assert.equal(ran.code, 0)
  assert.match(ran.err, /posting \[=* *\]/)
  assert.ok(ran.out.includes('\u001b[32m'))
})
