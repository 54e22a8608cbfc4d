// Loaded by worker threads: fails at commands whose id says so, `fault.<throw|stray|exit|loop>.<once|always>.<anything>`. "Once" is remembered
// over threads by a file in the folder that SABOTAGE_DIR names. Plain JavaScript, because tsx does not translate what a worker thread imports
// by a URL.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** @param {import('../../core/partition.ts').Received} received */
export function beforeDecide({ command: { id } }) {
  if (!id.startsWith('fault.')) return
  const [, how, when] = id.split('.')
  if (when === 'once') {
    const file = join(process.env.SABOTAGE_DIR ?? '', id)
    if (existsSync(file)) return
    writeFileSync(file, '')
  }
  if (how === 'throw') throw new Error('sabotage: thrown')
  if (how === 'exit') process.exit(3)
  if (how === 'loop') for (;;);
  setImmediate(() => {
    throw new Error('sabotage: thrown outside')
  })
}
