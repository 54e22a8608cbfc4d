// How to run the same again: the seed comes from the environment, and the command that sets it is printed with every failure.
import { relative } from 'node:path'

const name = 'SUANPAN_SEED'

/** Throws TypeError for what is no seed. */
export function seedFromEnvironment(): number | undefined {
  const text = process.env[name]
  if (text === undefined || text === '') return undefined
  const seed = Number(text)
  if (!(Number.isSafeInteger(seed) && seed >= 0)) throw new TypeError(`${name} is not a seed: ${text}`)
  return seed
}

/** One line for a shell: this test file, or the runner that cannot be told which file it is in. */
export function againCommand(seed: number): string {
  const { VITEST, JEST_WORKER_ID } = process.env
  const [, script = ''] = process.argv
  const run =
    VITEST !== undefined
      ? 'npx vitest run'
      : JEST_WORKER_ID !== undefined
        ? 'npx jest'
        : [
            'node',
            ...process.execArgv.filter((flag) => !flag.startsWith('--test')),
            relative(process.cwd(), script),
          ].join(' ')
  return `${name}=${seed} ${run}`
}
