// The report: one file that needs nothing else, charts first, then every figure and what was checked. Pure.
import type { BenchResult, Case, ScenarioResult } from '../measurement.ts'
import { type BudgetLine, budgetLines } from './budget.ts'
import { type Bar, barChart, escaped, lineChart } from './chart.ts'
import { figureText, headMarkdown, numberText } from './markdown.ts'

export function reportHtml(result: BenchResult): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Suanpan: benchmark of ${escaped(result.machine.commit)}</title>
<style>${style}</style></head><body>
<h1>Suanpan, measured</h1>
<p class="lead">${escaped(headMarkdown(result))} Bars are medians of interleaved rounds, whiskers go from the lowest to the highest round; red is Suanpan, amber the set-based rival, grey what it is held against. Every ledger was verified after its run.</p>
${budgetTable(budgetLines(result))}
<section class="charts">${charts(result).join('\n')}</section>
${result.scenarios.map(scenarioHtml).join('\n')}
</body></html>
`
}

function charts(result: BenchResult): string[] {
  const of = (scenario: string): readonly Case[] =>
    result.scenarios.find((one) => one.scenario === scenario)?.cases ?? []
  const series = result.scenarios.flatMap((one) => (one.series ?? []).map((line) => ({ scenario: one.scenario, line })))
  const latency = series.filter(({ scenario }) => scenario === 'latency').map(({ line }) => line)
  const scale = series.filter(({ scenario }) => scenario === 'scale').map(({ line }) => line)
  const soak = series.filter(({ scenario }) => scenario === 'soak').map(({ line }) => line)
  const peers = of('peers').filter(({ name }) => /, (uniform|hot)$/.test(name))
  const overHttp = peers.filter(({ name }) => !/batches|set-based/.test(name))
  return [
    barChart('Over HTTP, 64 connections: beside what teams write today', 'durable tx/s', [
      ...bars(
        overHttp.filter(({ name }) => name.endsWith('uniform')),
        'durable tx/s',
        kindOfPeer,
      ),
      ...bars(
        overHttp.filter(({ name }) => name.endsWith('hot')),
        'durable tx/s',
        kindOfPeer,
      ),
    ]),
    barChart(
      'What a hot account costs: rate on one account / uniform',
      'ratio',
      bars(overHttp, 'to uniform', kindOfPeer),
    ),
    barChart(
      'Batches: the engine beside one set-based call of 1,000 debits',
      'durable tx/s',
      bars(
        peers.filter(({ name }) => /batches|set-based/.test(name)),
        'durable tx/s',
        kindOfPeer,
      ),
    ),
    barChart('In process, by shape of load', 'tx/s', [
      ...bars(
        of('engine').filter(({ name }) => name.includes('COPY')),
        /^(tx|rows)\/s$/,
        () => 2,
      ),
      ...bars(of('engine'), 'durable tx/s', () => 0),
    ]),
    barChart(
      'Over HTTP, by connections and format',
      'tx/s',
      bars(of('http'), 'durable tx/s', ({ name }) => (name.startsWith('bare') ? 2 : 0)),
    ),
    ...cpuCharts(
      of('engine').filter(({ name }) => name === 'uniform'),
      'in process, uniform',
    ),
    ...cpuCharts(
      of('http').filter(({ name }) => name === 'suanpan, 64'),
      'over HTTP, 64 connections',
    ),
    lineChart('Latency at fixed rates, from the moment a request was due', latency, {
      logY: true,
      nines: true,
    }),
    ...scale.map((line) => lineChart(`Rate ${line.name}`, [line], { logX: !line.points.some(([x]) => x === 0) })),
    ...soak.map((line) =>
      lineChart(`Soak: ${line.name}`, [line], { ticksX: firstAndLast(line.points.map(([x]) => x)) }),
    ),
    barChart(
      'Redis mailbox beside memory',
      'durable tx/s',
      bars(of('redis'), 'durable tx/s', ({ name }) => (name.includes('redis') ? 1 : 0)),
    ),
    barChart(
      'Statement pages of a long account',
      'pages/s',
      bars(of('reads'), 'pages/s', () => 0),
    ),
  ].filter((chart) => chart !== '')
}

const firstAndLast = (xs: readonly number[]): number[] => [xs[0] ?? 0, xs.at(-1) ?? 0]

const kindOfPeer = ({ name }: Case): number =>
  name.startsWith('suanpan') ? 0 : /micro-batch|set-based/.test(name) ? 1 : 2

function bars(cases: readonly Case[], figure: string | RegExp, kindOf: (one: Case) => number): Bar[] {
  return cases.flatMap((one): Bar[] => {
    const name = typeof figure === 'string' ? figure : Object.keys(one.figures).find((key) => figure.test(key))
    const found = name === undefined ? undefined : one.figures[name]
    return found === undefined ? [] : [{ label: one.name, kind: kindOf(one), ...found }]
  })
}

function cpuCharts(cases: readonly Case[], where: string): string[] {
  return cases.map(({ figures }) =>
    barChart(
      `CPU time a transaction, ${where}`,
      'microseconds',
      Object.entries(figures).flatMap(([name, figure]): Bar[] =>
        name.startsWith('CPU ') ? [{ label: partNames[name.slice(4)] ?? name.slice(4), kind: 0, ...figure }] : [],
      ),
    ),
  )
}

const partNames: Readonly<Record<string, string>> = {
  main: 'main thread',
  worker: 'worker thread',
  gc: 'garbage collection, compilers',
  client: 'load client',
  backends: 'Postgres backends',
  'postgres background': 'Postgres background',
}

function budgetTable(lines: readonly BudgetLine[]): string {
  if (lines.length === 0) return ''
  const rows = lines.map(
    ({ what, target, measured, met }) =>
      `<tr><td>${escaped(what)}</td><td>${escaped(target)}</td><td>${escaped(measured)}</td><td class="${met === true ? 'met' : 'missed'}">${met === true ? 'met' : 'not met'}</td></tr>`,
  )
  return `<h2>Against the budget</h2><div class="wide"><table><thead><tr><th></th><th>target</th><th>median (spread)</th><th></th></tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`
}

function scenarioHtml({ scenario, cases, verified, notes, seconds }: ScenarioResult): string {
  const columns = [...new Set(cases.flatMap(({ figures }) => Object.keys(figures)))]
  const head = ['case', ...columns].map((text) => `<th>${escaped(text)}</th>`).join('')
  const rows = cases.map(({ name, setup, figures }) => {
    const facts = Object.entries(setup)
      .map(([key, value]) => `${key}: ${numberText(value)}`)
      .join('; ')
    return `<tr><td title="${escaped(facts)}">${escaped(name)}</td>${columns.map((column) => `<td>${escaped(figureText(figures[column]))}</td>`).join('')}</tr>`
  })
  const lines = [...notes, ...verified.map((text) => `Verified: ${text}.`), `Took ${seconds} s.`]
  return `<section><h2>${escaped(scenario)}</h2><div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>
<ul>${lines.map((text) => `<li>${escaped(text)}</li>`).join('')}</ul></section>`
}

const style = `
:root { color-scheme: light dark; --ground: #fbfaf7; --ink: #22252a; --faint: #6b7078; --rule: #dcd9d1; --k0: #b3261e; --k1: #c98a1b; --k2: #7c8794; --k3: #2b6cb0; --k4: #2f855a; --met: #2f7d4f; --missed: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --ink: #e6e4de; --faint: #9aa0a8; --rule: #33373e; --k0: #ef6a5f; --k1: #e0b04c; --k2: #8794a3; --k3: #6aa6e8; --k4: #63b98a; --met: #7fcf9f; --missed: #ef6a5f } }
body { background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2.5rem auto; max-width: 1180px; padding: 0 1.25rem }
h1 { font-size: 1.7rem; margin: 0 0 .3rem } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem }
.lead { color: var(--faint); max-width: 75ch }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 1.6rem 2.4rem; margin-top: 2rem; align-items: start }
figure { margin: 0 } figcaption { font-weight: 600; margin-bottom: .5rem } figcaption span { color: var(--faint); font-weight: 400 }
svg { width: 100%; height: auto; font-size: 13px; overflow: visible }
svg text { fill: var(--ink); dominant-baseline: middle } svg .tick { fill: var(--faint); font-size: 11.5px }
.grid { stroke: var(--rule); fill: none } .whisker { stroke: var(--ink); stroke-opacity: .65; fill: none } .line { fill: none !important; stroke-width: 2 }
.k0 { fill: var(--k0); stroke: var(--k0) } .k1 { fill: var(--k1); stroke: var(--k1) } .k2 { fill: var(--k2); stroke: var(--k2) } .k3 { fill: var(--k3); stroke: var(--k3) } .k4 { fill: var(--k4); stroke: var(--k4) }
rect { stroke: none !important }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th { text-align: right; font-weight: 600; color: var(--faint) } th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left } .met { color: var(--met) } .missed { color: var(--missed) }
ul { color: var(--faint); font-size: 13px; padding-left: 1.1rem }
`
