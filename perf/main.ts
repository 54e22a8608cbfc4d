// `npm run bench -- SCENARIO [options]`: figures on stdout, what is going on on stderr. A run whose check fails prints no figure and exits with 1.
import { readFile, writeFile } from 'node:fs/promises'
import { across } from './across.ts'
import { openBench, runScenario } from './bench.ts'
import { compareResults, comparisonText } from './compare.ts'
import { consumer } from './consumer-run.ts'
import { cost } from './cost-run.ts'
import { machine } from './environment.ts'
import { lane } from './lane-run.ts'
import { type BenchResult, resultFormat } from './measurement.ts'
import { type CommandLine, commandLine, UsageError, usage } from './options.ts'
import { partitions } from './partitions.ts'
import { quick } from './quick.ts'
import { resultMarkdown } from './report/markdown.ts'
import { refreshDocs, runReport, writeReport } from './report/report.ts'
import { byNameOnly, scenarioNamed, scenarios } from './scenarios.ts'

const say = (line: string): void => void process.stderr.write(`${line}\n`)
const print = (text: string): void => void process.stdout.write(`${text}\n`)
const names = Object.keys(scenarios)
/** With a shape of result of their own, fixed or for those who work on the engine. */
const plain = { quick, partitions, lane, cost, across, consumer }

try {
  await run(commandLine(process.argv.slice(2)))
} catch (error) {
  if (error instanceof UsageError) {
    say(`${error.message}\n${usage(names)}`)
    process.exitCode = 2
  } else {
    say(`no figures: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    // What a scenario that failed left running goes with this process.
    process.exit(1)
  }
}

async function run(line: CommandLine): Promise<void> {
  if (line.help) return print(usage(names))
  const [name = 'quick', ...rest] = line.words
  switch (name) {
    case 'quick':
    case 'partitions':
    case 'lane':
    case 'cost':
    case 'across':
    case 'consumer':
      return print(JSON.stringify(await plain[name](say), undefined, line.json ? undefined : 2))
    case 'compare':
      return print(await compareFiles(rest, line))
    case 'render':
      return print(`wrote ${(await writeReport(await resultFrom(rest[0]))).html}`)
    case 'docs':
      return print(`changed ${(await refreshDocs(await resultFrom(rest[0]))).join(', ') || 'nothing'}`)
    case 'report': {
      const wanted = line.only?.split(',') ?? names.filter((one) => !byNameOnly.has(one))
      const unknown = wanted.find((one) => scenarioNamed(one) === undefined)
      if (unknown !== undefined) throw new UsageError(`there is no scenario "${unknown}"`)
      const files = await runReport(wanted, line, say)
      return print(`wrote ${files.html}\nwrote ${files.markdown}\nwrote ${files.json}`)
    }
    default:
      return await one(name, line)
  }
}

async function one(name: string, line: CommandLine): Promise<void> {
  const scenario = scenarioNamed(name)
  if (scenario === undefined) throw new UsageError(`there is no scenario "${name}"`)
  const startedAt = new Date().toISOString()
  const bench = openBench({ ...line, say })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void bench.close().finally(() => process.exit(1)))
  }
  try {
    const measured = await runScenario(name, scenario, bench)
    const { durability, version } = await bench.database()
    const result: BenchResult = {
      format: resultFormat,
      startedAt,
      machine: machine(),
      postgres: version,
      durability,
      size: line.size,
      scenarios: [measured],
    }
    if (line.out !== undefined) await writeFile(line.out, `${JSON.stringify(result)}\n`)
    print(line.json ? JSON.stringify(result) : resultMarkdown(result))
  } finally {
    await bench.close()
  }
}

async function compareFiles([before, after]: readonly string[], line: CommandLine): Promise<string> {
  return comparisonText(compareResults(await resultFrom(before), await resultFrom(after)), line.all)
}

async function resultFrom(file: string | undefined): Promise<BenchResult> {
  if (file === undefined) throw new UsageError('a file of results is missing')
  return JSON.parse(await readFile(file, 'utf8')) as BenchResult
}
