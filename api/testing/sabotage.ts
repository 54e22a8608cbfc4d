// Loaded by worker threads: fails at commands whose id says so, `fault.<how>.<once|always>.<anything>`. "Once" is remembered over threads by
// a file in the folder that SABOTAGE_DIR names.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Received } from '../../core/partition.ts'

export const hows = ['throw', 'stray', 'exit', 'loop'] as const
export type How = (typeof hows)[number]

export function beforeDecide({ command: { id } }: Received): void {
  if (!id.startsWith('fault.')) return
  const [, how, when] = id.split('.')
  if (when === 'once') {
    const file = join(process.env.SABOTAGE_DIR ?? '', id)
    if (existsSync(file)) return
    writeFileSync(file, '')
  }
  failBy(how as How)
}

function failBy(how: How): void {
  switch (how) {
    case 'throw':
      throw new Error('sabotage: thrown')
    case 'stray':
      setImmediate(() => {
        throw new Error('sabotage: thrown outside')
      })
      return
    case 'exit':
      process.exit(3)
      return
    case 'loop':
      for (;;);
  }
}
