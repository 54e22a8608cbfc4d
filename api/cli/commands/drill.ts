// `suanpan drill`: breaks a service of its own on purpose and shows what became of its answers. Only hands over to the composition root.
import type { DrillReport, DrillRound } from '../../drill/drill.ts'
import { type Command, countOf, exitCodes, type Io, type Options, readArguments, Stop, UsageError } from '../command.ts'
import { count, paint, table } from '../terminal.ts'

/** 128 and the number of SIGINT, as shells have it. */
const interrupted = 130

const options = {
  minutes: {
    type: 'string',
    value: 'N',
    says: 'go on with the faults, one after the other, for so long (default: each once)',
  },
  only: { type: 'string', value: 'TEXT', says: 'only faults with this in their name, such as "Redis" or "disk"' },
  seed: { type: 'string', value: 'N', says: 'of the load (default: by the clock)' },
  json: { type: 'boolean', says: 'the result as JSON' },
} as const satisfies Options

export const drill = {
  name: 'drill',
  summary: 'Kills, freezes and cuts the parts of a service of its own under load, and counts lost and doubled answers.',
  usage: ['drill [--minutes N] [--only TEXT] [--seed N] [--json]'],
  about: `Starts a Postgres, a server and, if redis-server is installed, a Redis in a temporary folder on free ports; touches
nothing else.`,
  options,
  examples: ['suanpan drill', 'suanpan drill --only Redis', 'suanpan drill --minutes 10 --seed 42 --json'],
  exits: {
    0: 'nothing was lost or doubled, and the journal verifies',
    1: 'something was, or it does not: the text says what',
    2: 'wrong arguments',
    130: 'stopped by SIGINT or SIGTERM; all that the drill started is ended',
  },
  async run(argv: readonly string[], io: Io): Promise<number> {
    const { values } = readArguments(drill, argv, [])
    const { faultNames, hasRedisServer, hasSmallDisk, isClean, runDrill } = await import('../../drill/drill.ts')
    const minutes = countOf(drill, 'minutes', values.minutes)
    const { only } = values
    const known = await faultNames({})
    if (only !== undefined && known.every((name) => !name.includes(only)))
      throw new UsageError(`no fault here has "${only}" in its name (${known.join(', ')})`, drill)
    if (!(await hasRedisServer())) io.stderr.write('redis-server is not installed: its faults are left out\n')
    if (!(await hasSmallDisk()))
      io.stderr.write('nothing may be mounted here (that takes Linux and root): the fault "disk full" is left out\n')
    const stopped = new AbortController()
    const stop = (): void => stopped.abort(new Stop(interrupted, 'stopped: all that the drill started is ended'))
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    const report = await runDrill({
      signal: stopped.signal,
      seed: countOf(drill, 'seed', values.seed) ?? Date.now() % 1e9,
      ...(minutes === undefined ? {} : { minutes }),
      ...(only === undefined ? {} : { only }),
      news: ({ fault }) => {
        io.stderr.write(`${fault}\n`)
      },
    })
    io.stdout.write(values.json === true ? `${JSON.stringify(report)}\n` : `${linesOf(report, io).join('\n')}\n`)
    return isClean(report) ? exitCodes.ok : exitCodes.no
  },
} satisfies Command

function linesOf({ seed, rounds, wrong, verified }: DrillReport, io: Io): string[] {
  const head = ['fault', 'requests', 'acknowledged', 'lost', 'doubled', 'unavailable']
  const cells = (round: DrillRound): string[] => [
    round.fault,
    count(round.requests),
    count(round.acknowledged),
    count(round.lost),
    count(round.doubled),
    `${(round.unavailableMs / 1000).toFixed(2)} s`,
  ]
  const last = verified ? 'the journal verifies' : paint(io.stdout, io.env, 'red', 'the journal does NOT verify')
  return [
    ...table([head, ...rounds.map(cells)], new Set([1, 2, 3, 4, 5])),
    '',
    ...wrong.map((text) => paint(io.stdout, io.env, 'red', text)),
    `${last} (seed ${seed})`,
  ]
}
