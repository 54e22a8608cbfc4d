// `npm run bench -- SCENARIO [--json]`: figures on stdout, what is going on on stderr.
import { parseArgs } from 'node:util'
import { cost } from './cost-run.ts'
import { lane } from './lane-run.ts'
import { partitions } from './partitions.ts'
import { quick } from './quick.ts'

const scenarios: Readonly<Record<string, (say: (line: string) => void) => Promise<unknown>>> = {
  quick,
  partitions,
  lane,
  cost,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})
const name = positionals[0] ?? 'quick'
const scenario = scenarios[name]
if (scenario === undefined) {
  process.stderr.write(`there is no scenario "${name}"; there are ${Object.keys(scenarios).join(', ')}\n`)
  process.exit(2)
}
const result = await scenario((line) => process.stderr.write(`${line}\n`))
process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, undefined, 2)}\n`)
