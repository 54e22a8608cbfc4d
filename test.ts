// Runs the tests: `node --import tsx test.ts [--unit] [part of a path ..]`. node:test on Node 20 finds no .ts files by itself and calls that a
// success, so the files are listed here, and too few tests are a failure. Those of the six folders run from emitted JavaScript (`dist-test`): the tests
// start hundreds of processes and threads, and tsx costs each of them a second of CPU.
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { parseArgs, styleText } from 'node:util'

type TestEvent = { readonly type: string; readonly data: Readonly<Record<string, unknown>> }

const emittedFolders = ['core', 'actors', 'adapters', 'api', 'schemas', 'perf']
const folders = [...emittedFolders, 'examples']
/** Fewer tests than these mean that some were not found. Raise them as tests are added, never lower them. */
const testsAtLeast = { all: 1810, unit: 1580 }
const slowestShown = 10

const phases = [
  { name: 'unit', concurrency: Math.min(availableParallelism(), 2), timeoutMs: 120_000 },
  // They wait for databases, watchdogs and restarts most of the time; none of them asserts a time.
  { name: 'int', concurrency: 3, timeoutMs: 300_000 },
] as const

/** These take a minute and more: they begin first, so that none of them runs alone at the end while a core is idle. */
const longest = [
  'api/drill/',
  'api/kill.',
  'api/across.',
  'perf/scenarios.',
  'api/half-a-minute.',
  'api/million-lines.',
]
const rank = (path: string): number => longest.findIndex((part) => path.startsWith(part)) + 1 || longest.length + 1

const { values, positionals } = parseArgs({ options: { unit: { type: 'boolean' } }, allowPositionals: true })

const root = import.meta.dirname
const emitted = resolve(root, 'dist-test')
const isEmitted = (path: string): boolean => emittedFolders.includes(path.split('/')[0] ?? '')
const runnable = (path: string): string =>
  isEmitted(path) ? resolve(emitted, path.replace(/\.ts$/, '.js')) : resolve(root, path)
/** Of what node:test names: where its source stands, from the root. */
const sourceOf = (file: string): string =>
  file.startsWith(`${emitted}/`) ? relative(emitted, file).replace(/\.js$/, '.ts') : relative(root, file)
const isTest = (path: string): boolean => path.endsWith('.test.ts') && !/(^|\/)(node_modules|dist)\//.test(path)
const isInt = (path: string): boolean => path.endsWith('.int.test.ts')
const files = [
  ...readdirSync(root),
  ...folders.flatMap((folder) =>
    readdirSync(resolve(root, folder), { recursive: true }).map((path) => `${folder}/${path}`),
  ),
]
  .filter((path) => isTest(path) && !(values.unit && isInt(path)))
  .filter((path) => positionals.length === 0 || positionals.some((part) => path.includes(part)))
  .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))

/** Sums of what node:test says at the end of each phase: tests, suites, pass, fail, cancelled, skipped, todo, duration_ms. */
const totals = new Map<string, number>()
const ended = new Map<string, { readonly durationMs: number; readonly failure: string | undefined }>()
const begun = new Map<string, Set<string>>()
const unfinished = new Map<string, Set<string>>()
const problems: string[] = []

/** The events of both phases as those of one run. */
async function* events(): AsyncGenerator<TestEvent> {
  for (const { name, concurrency, timeoutMs } of phases) {
    for (const emission of [true, false]) {
      const chosen = files.filter((path) => isInt(path) === (name === 'int') && isEmitted(path) === emission)
      if (chosen.length === 0) continue
      // What the processes of the files are started with.
      process.execArgv = emission ? ['--enable-source-maps'] : ['--import', 'tsx']
      // The limit is on a whole file: one whose tests are over but whose timers or connections live on fails too.
      const stream: AsyncIterable<TestEvent> = run({ files: chosen.map(runnable), concurrency, timeout: timeoutMs })
      for await (const event of stream) {
        note(event)
        if (!isTotal(event)) yield event
      }
    }
  }
  for (const [name, total] of totals)
    yield { type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${Math.round(total)}` } }
}

const totalPattern = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/
const isTotal = ({ type, data }: TestEvent): boolean =>
  type === 'test:diagnostic' && data.file === undefined && totalPattern.test(String(data.message))

function note(event: TestEvent): void {
  const { type, data } = event
  if (isTotal(event)) {
    const [, name = '', number] = totalPattern.exec(String(data.message)) ?? []
    totals.set(name, (totals.get(name) ?? 0) + Number(number))
  }
  if (typeof data?.file !== 'string') return
  const path = sourceOf(data.file)
  const name = String(data.name)
  if (name !== data.file) {
    if (type === 'test:dequeue')
      for (const names of [begun, unfinished]) names.set(path, (names.get(path) ?? new Set()).add(name))
    if (type === 'test:complete') unfinished.get(path)?.delete(name)
  } else if (type === 'test:complete') {
    const details = data.details as { readonly duration_ms: number; readonly error?: { readonly failureType?: string } }
    ended.set(path, { durationMs: details.duration_ms, failure: details.error && String(details.error.failureType) })
  }
}

if (files.length === 0) {
  console.error('no test file has such a name')
  process.exit(1)
}
if (files.some(isEmitted)) emit()
await pipeline(Readable.from(events()), new spec(), process.stdout, { end: false })

function emit(): void {
  const tsc = resolve(root, 'node_modules/.bin/tsc')
  const { status } = spawnSync(tsc, ['-p', resolve(root, 'tsconfig.test.json')], { stdio: 'inherit' })
  if (status !== 0) problems.push('the types are not right')
  // Plain JavaScript, which worker threads load by its URL.
  for (const path of ['api/testing/sabotage.mjs']) cpSync(resolve(root, path), resolve(emitted, path))
}

const count = (...names: readonly string[]): number => names.reduce((sum, name) => sum + (totals.get(name) ?? 0), 0)
const floor = positionals.length > 0 ? 1 : values.unit ? testsAtLeast.unit : testsAtLeast.all
const failed = count('fail', 'cancelled')
if (count('pass') < floor) problems.push(`only ${count('pass')} tests passed, at least ${floor} must be there`)

for (const [path, { failure }] of ended) {
  if (failure === undefined && !holdsTests(path)) problems.push(`${path} holds no test`)
  if (failure === 'testTimeoutFailure')
    problems.push(
      `${path} was stopped after its time limit in: ${[...(unfinished.get(path) ?? [])].join(', ') || '(its tests were over)'}`,
    )
}

/** Its own, or those of a conformance suite that it runs over an adapter: node:test says of these that they stand in the suite's file. */
function holdsTests(path: string): boolean {
  if (begun.has(path)) return true
  const suite = /from '(\.[^']*-conformance\.ts)'/.exec(readFileSync(resolve(root, path), 'utf8'))?.[1]
  return suite !== undefined && begun.has(relative(root, resolve(root, dirname(path), suite)))
}

console.log(`\nslowest of ${files.length} files, in seconds:`)
for (const [path, { durationMs }] of [...ended]
  .sort((a, b) => b[1].durationMs - a[1].durationMs)
  .slice(0, slowestShown))
  console.log(`  ${(durationMs / 1000).toFixed(1).padStart(6)}  ${path}`)
for (const problem of problems) console.log(styleText('red', `✖ ${problem}`))
console.log(`\n${count('pass')} passed, ${failed} failed, ${count('skipped', 'todo')} skipped`)
if (failed > 0 || problems.length > 0) process.exitCode = 1
