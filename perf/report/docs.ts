// Puts tables of results into pages that have places for them: between `<!-- bench NAME -->` and `<!-- /bench -->`, where NAME is a scenario, or `budget` for
// the table against the design's targets. Pure.
import type { BenchResult } from '../measurement.ts'
import { headMarkdown, readmeMarkdown, scenarioMarkdown } from './markdown.ts'

const place = /<!-- bench (\S+) -->\n[\s\S]*?<!-- \/bench -->/g

/** Places of scenarios that the result does not have stay as they are. */
export function fillTables(page: string, result: BenchResult): string {
  return page.replaceAll(place, (whole, name: string) => {
    const text = tableOf(name, result)
    return text === undefined ? whole : `<!-- bench ${name} -->\n${text}\n<!-- /bench -->`
  })
}

function tableOf(name: string, result: BenchResult): string | undefined {
  if (name === 'budget') return readmeMarkdown(result)
  const found = result.scenarios.find(({ scenario }) => scenario === name)
  if (found === undefined) return undefined
  // The page has its own headings, and the checks are in the report.
  const lines = scenarioMarkdown(found)
    .split('\n')
    .filter((line) => !/^(### |- verified: |- took )/.test(line))
  return `${lines.join('\n').trim()}\n\n${headMarkdown(result)}`
}
