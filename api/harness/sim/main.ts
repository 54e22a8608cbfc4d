// `npm run sim`: simulated histories from many seeds, over all cores, or one seed with all that happened in it.
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs, styleText } from 'node:util'
import { type HistoryOptions, type HistoryResult, runHistory } from './history.ts'
import { mutants } from './mutants.ts'
import { shrink } from './shrink.ts'

const usage = `npm run sim -- --seeds 1000 [--from 1]     that many histories, each from its seed
npm run sim -- --seed 7 [--trace]          one history, and all that happened in it
  --steps 200        commands in a history
  --only 3,17        of these commands only the ones with these numbers
  --workers 2        processes side by side
  --mutant NAME      a broken variant of the engine: ${Object.keys(mutants).join(', ')}`

const chunkSeeds = 10
const showEveryMs = 2000
const failuresShown = 10

interface Job {
  readonly from: number
  readonly count: number
  readonly steps: number
  readonly mutant: string | undefined
}

/** What of a result goes from a worker to the main process. */
type Report = Omit<HistoryResult, 'steps' | 'lines'>

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    steps: { type: 'string', default: '200' },
    only: { type: 'string' },
    workers: { type: 'string' },
    mutant: { type: 'string' },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const numberOf = (text: string, name: string): number => {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  console.error(`--${name} must be a number, not ${text}`)
  process.exit(2)
}

function optionsOf(seed: number, steps: number, mutant: string | undefined): HistoryOptions {
  if (mutant === undefined) return { seed, steps }
  const known = mutants[mutant]
  if (known === undefined) {
    console.error(`there is no variant ${mutant}\n${usage}`)
    process.exit(2)
  }
  return { seed, steps, variant: known.variant }
}

async function one(seed: number): Promise<void> {
  const steps = numberOf(values.steps, 'steps')
  const options = optionsOf(seed, steps, values.mutant)
  const only =
    values.only === undefined ? undefined : new Set(values.only.split(',').map((text) => numberOf(text, 'only')))
  const result = await runHistory({
    ...options,
    ...(only === undefined ? {} : { only }),
    ...(values.trace ? { trace: (line: string) => console.log(line) } : {}),
  })
  console.log(
    `seed ${seed}: ${result.operations} commands, ${result.commits} commits, ${result.events} events in ${(result.virtualMs / 1000).toFixed(1)} virtual s, trace ${result.hash}`,
  )
  console.log(`faults: ${faultText(result.happened)}`)
  if (result.failure === undefined) return
  process.exitCode = 1
  console.log(styleText('red', `✖ ${result.failure.message}`))
  if (result.failure.rule === 'error') console.log(result.failure.stack)
  if (only !== undefined) return
  const small = await shrink(options, result)
  console.log(
    `\nthe same with ${small.only.length} of ${steps} commands (${small.runs} runs): ${small.result.failure?.message}`,
  )
  for (const number of small.only)
    console.log(`  ${String(number).padStart(4)}  ${JSON.stringify(result.steps[number]?.command)}`)
  const mutant = values.mutant === undefined ? '' : ` --mutant ${values.mutant}`
  console.log(`\nnpm run sim -- --seed ${seed} --steps ${steps}${mutant} --only ${small.only.join(',')} --trace`)
}

const faultText = (happened: Readonly<Record<string, number>>): string =>
  Object.entries(happened)
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ') || 'none'

// ---- many ---------------------------------------------------------------------------------------------------------------------

async function many(count: number): Promise<void> {
  const first = numberOf(values.from, 'from')
  const steps = numberOf(values.steps, 'steps')
  optionsOf(first, steps, values.mutant)
  const workers = Math.max(
    1,
    values.workers === undefined ? availableParallelism() : numberOf(values.workers, 'workers'),
  )
  const started = performance.now()
  const failures: Report[] = []
  const happened: Record<string, number> = {}
  let next = first
  let done = 0
  let commands = 0
  let virtualMs = 0
  const show = (): void => {
    const rate = done / ((performance.now() - started) / 1000)
    console.log(`${done} of ${count} histories, ${failures.length} failed, ${rate.toFixed(1)}/s`)
  }
  const timer = setInterval(show, showEveryMs)
  const note = (report: Report): void => {
    done++
    commands += report.operations
    virtualMs += report.virtualMs
    for (const [kind, times] of Object.entries(report.happened)) happened[kind] = (happened[kind] ?? 0) + times
    if (report.failure === undefined) return
    failures.push(report)
    if (failures.length <= failuresShown)
      console.log(styleText('red', `✖ seed ${report.seed}: ${report.failure.message}`))
  }
  await Promise.all(
    Array.from({ length: workers }, () => {
      const child = fork(process.argv[1] ?? '', ['--seeds', '0'], {
        execArgv: process.execArgv,
        env: { ...process.env, [workerMark]: '1' },
      })
      const give = (): void => {
        const left = first + count - next
        if (left <= 0) {
          child.disconnect()
          return
        }
        const job: Job = { from: next, count: Math.min(chunkSeeds, left), steps, mutant: values.mutant }
        next += job.count
        child.send(job)
      }
      child.on('message', (message: Report | 'done') => (message === 'done' ? give() : note(message)))
      give()
      return new Promise<void>((resolve) => child.on('exit', () => resolve()))
    }),
  )
  clearInterval(timer)
  show()
  console.log(
    `${commands} commands in ${(virtualMs / 3_600_000).toFixed(1)} virtual hours; faults: ${faultText(happened)}`,
  )
  const mutant = values.mutant === undefined ? '' : ` --mutant ${values.mutant}`
  const again = (seed: number): string => `npm run sim -- --seed ${seed} --steps ${steps}${mutant} --trace`
  for (const { seed } of failures.slice(0, failuresShown)) console.log(again(seed))
  if (done < count) console.log(styleText('red', `✖ ${count - done} histories did not end`))
  if (failures.length > 0 || done < count) process.exitCode = 1
}

const workerMark = 'SUANPAN_SIM_WORKER'

function work(): void {
  const send = (message: Report | 'done'): void => {
    process.send?.(message)
  }
  process.on('message', async ({ from, count, steps, mutant }: Job) => {
    for (let seed = from; seed < from + count; seed++) {
      const { steps: _steps, lines: _lines, ...report } = await runHistory(optionsOf(seed, steps, mutant))
      send(report)
    }
    send('done')
  })
}

if (process.env[workerMark] !== undefined) work()
else if (values.help || (values.seed === undefined && values.seeds === undefined)) console.log(usage)
else if (values.seed !== undefined) await one(numberOf(values.seed, 'seed'))
else await many(numberOf(values.seeds ?? '0', 'seeds'))
