// Runs every scenario in a process of its own, so that none inherits the heap, the caches or the Postgres of another, and writes what came of it.
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BenchResult, resultFormat } from '../measurement.ts'
import type { CommandLine } from '../options.ts'
import { fillTables } from './docs.ts'
import { reportHtml } from './html.ts'
import { readmeMarkdown, resultMarkdown } from './markdown.ts'

export interface ReportFiles {
  readonly json: string
  readonly html: string
  readonly markdown: string
}

/** Throws after the last scenario if one failed: what succeeded is in the report all the same. */
export async function runReport(
  names: readonly string[],
  line: CommandLine,
  say: (text: string) => void,
): Promise<ReportFiles> {
  const results: BenchResult[] = []
  const failed: string[] = []
  for (const name of names) {
    say(`--- ${name}`)
    const result = await runApart(name, line, say)
    if (result === undefined) failed.push(name)
    else results.push(result)
  }
  const [first] = results
  if (first === undefined) throw new Error('no scenario gave a result')
  const files = await writeReport({ ...first, scenarios: results.flatMap(({ scenarios }) => scenarios) })
  if (failed.length > 0)
    throw new Error(`${failed.join(', ')} failed and has no figures; the others are in ${files.html}`)
  return files
}

function runApart(name: string, line: CommandLine, say: (text: string) => void): Promise<BenchResult | undefined> {
  const main = fileURLToPath(new URL('../main.js', import.meta.url))
  const options = [
    ...(line.accounts === undefined ? [] : ['--accounts', `${line.accounts}`]),
    ...(line.rows === undefined ? [] : ['--rows', `${line.rows}`]),
    ...(line.seconds === undefined ? [] : ['--seconds', `${line.seconds}`]),
    ...(line.databaseUrl === undefined ? [] : ['--database-url', line.databaseUrl]),
  ]
  const args = ['--max-semi-space-size=64', main, name, '--json', '--size', line.size, ...options]
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { maxBuffer: 64 << 20 }, (error, stdout) => {
      if (error !== null) say(`${name} failed with exit code ${String(error.code)}`)
      resolve(error === null ? (JSON.parse(stdout) as BenchResult) : undefined)
    })
    child.stderr?.on('data', (text: string) => process.stderr.write(text))
  })
}

/** `perf/report.html`, and `perf/results/report.json` and `.md`. */
export async function writeReport(result: BenchResult): Promise<ReportFiles> {
  if (result.format !== resultFormat) throw new Error('not the result of a report or a scenario')
  const perf = join(await packageFolder(), 'perf')
  const files = {
    json: join(perf, 'results', 'report.json'),
    markdown: join(perf, 'results', 'report.md'),
    html: join(perf, 'report.html'),
  }
  await mkdir(join(perf, 'results'), { recursive: true })
  await writeFile(files.json, `${JSON.stringify(result)}\n`)
  await writeFile(files.markdown, `${readmeMarkdown(result)}\n\n${resultMarkdown(result)}\n`)
  await writeFile(files.html, reportHtml(result))
  return files
}

/** Puts the tables of a result into the pages that have a place for them. Returns the pages that changed. */
export async function refreshDocs(result: BenchResult): Promise<string[]> {
  const folder = await packageFolder()
  const changed: string[] = []
  for (const page of ['README.md', 'docs/performance.md']) {
    const file = join(folder, page)
    const text = await readFile(file, 'utf8')
    const filled = fillTables(text, result)
    if (filled === text) continue
    await writeFile(file, filled)
    changed.push(page)
  }
  return changed
}

/** Sources and the emitted copy share it. */
async function packageFolder(): Promise<string> {
  for (let folder = fileURLToPath(new URL('.', import.meta.url)); ; folder = join(folder, '..')) {
    const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined)
    if (text !== undefined) return folder
    if (folder === join(folder, '..')) throw new Error('there is no package.json above')
  }
}
