// Results as Markdown: one table a scenario, and the short one for the README. Pure.
import type { BenchResult, Case, Figure, ScenarioResult } from '../measurement.ts'
import { budgetLines } from './budget.ts'

export function resultMarkdown(result: BenchResult): string {
  return [headMarkdown(result), ...result.scenarios.map(scenarioMarkdown)].join('\n\n')
}

export function headMarkdown({ machine, postgres, durability, startedAt, size }: BenchResult): string {
  const settings = Object.entries(durability).map(([name, value]) => `${name} ${value}`)
  return `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, Node ${machine.node}, Postgres ${postgres} (${settings.join(', ')}); commit ${machine.commit}; ${startedAt.slice(0, 10)}; size ${size}.`
}

export function scenarioMarkdown({ scenario, cases, verified, notes, seconds }: ScenarioResult): string {
  const columns = [...new Set(cases.flatMap(({ figures }) => Object.keys(figures)))]
  const header = ['case', ...columns]
  const rows = cases.map(({ name, figures }) => [name, ...columns.map((column) => figureText(figures[column]))])
  return [
    `### ${scenario}`,
    setupText(cases),
    tableMarkdown(header, rows),
    ...notes.map((note) => `- ${note}`),
    ...verified.map((text) => `- verified: ${text}`),
    `- took ${seconds} s`,
  ]
    .filter((line) => line !== '')
    .join('\n\n')
    .replaceAll('\n\n- ', '\n- ')
}

export const tableMarkdown = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [
    `| ${header.join(' | ')} |`,
    `|${header.map((_, i) => (i === 0 ? '---|' : '---:|')).join('')}`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')

/** What all cases have in common, said once. */
function setupText(cases: readonly Case[]): string {
  const [first] = cases.slice(-1)
  if (first === undefined) return ''
  return Object.entries(first.setup)
    .filter(([name, value]) => cases.filter(({ setup }) => setup[name] === value).length > cases.length / 2)
    .map(([name, value]) => `${name} ${numberText(value)}`)
    .join(', ')
}

export const numberText = (value: string | number): string =>
  typeof value === 'number' && value >= 10_000 ? value.toLocaleString('en-US') : String(value)

/** Median, and how far the rounds were apart. */
export function figureText(figure: Figure | undefined): string {
  if (figure === undefined) return ''
  const { median, min, max, rounds } = figure
  if (rounds.length === 1) return numberText(median)
  return `${numberText(median)} (${numberText(min)}–${numberText(max)})`
}

/** Budget of the design beside what was measured: the table for the README. */
export function readmeMarkdown(result: BenchResult): string {
  const lines = budgetLines(result)
  const rows = lines.map(({ what, target, measured, met }) => [
    what,
    target,
    measured,
    met === undefined ? '' : met ? 'yes' : 'no',
  ])
  return `${tableMarkdown(['', 'target', 'measured: median (spread)', 'met'], rows)}\n\n${headMarkdown(result)}`
}
