// Loaded by worker threads: fails at commands whose id says so, `fault.<throw|stray|exit|loop|later|soon>.<once|always>.<anything>`. `later` and
// `soon` end the thread in the midst of other work: so many commands and messages, or milliseconds, later as `<anything>` begins with.
// "Once" is remembered over threads by a file in the folder that SABOTAGE_DIR names. Plain JavaScript, because tsx does not translate what a
// worker thread imports by a URL.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

let decidesUntilExit = Number.POSITIVE_INFINITY

/** @param {import('../../core/partition.ts').Received} received */
export function beforeDecide({ command: { id } }) {
  if (--decidesUntilExit <= 0) process.exit(3)
  if (!id.startsWith('fault.')) return
  const [, how, when, number] = id.split('.')
  if (when === 'once') {
    const file = join(process.env.SABOTAGE_DIR ?? '', id)
    if (existsSync(file)) return
    writeFileSync(file, '')
  }
  if (how === 'throw') throw new Error('sabotage: thrown')
  if (how === 'exit') process.exit(3)
  if (how === 'loop') for (;;);
  if (how === 'later') decidesUntilExit = Number.parseInt(number, 10)
  else if (how === 'soon') setTimeout(() => process.exit(3), Number.parseInt(number, 10))
  else
    setImmediate(() => {
      throw new Error('sabotage: thrown outside')
    })
}
