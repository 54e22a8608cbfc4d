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

/** One line for a shell, with the test file in it. `file`: what `fileUnderTest` said when the test had only begun. */
export function againCommand(seed: number, file = fileUnderTest()): string {
  const { VITEST, JEST_WORKER_ID } = process.env
  if (VITEST !== undefined) return `${name}=${seed} npx vitest run ${file}`.trimEnd()
  if (JEST_WORKER_ID !== undefined) {
    // Jest runs ES modules only with this.
    const flags = process.execArgv.includes('--experimental-vm-modules')
      ? 'NODE_OPTIONS=--experimental-vm-modules '
      : ''
    return `${name}=${seed} ${flags}npx jest ${file}`.trimEnd()
  }
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'))
  return `${name}=${seed} ${['node', ...flags, relative(process.cwd(), process.argv[1] ?? '')].join(' ')}`
}

interface Expecting {
  readonly expect?: { getState?(): { readonly testPath?: string } }
}

/**
 * Runners that import many files into one process say in `expect` which of them runs, where it is global; else the stack does, as long as the
 * test stands in it, which it may not after a wait. Empty where neither does.
 */
export function fileUnderTest(): string {
  const { VITEST, JEST_WORKER_ID } = process.env
  if (VITEST === undefined && JEST_WORKER_ID === undefined) return ''
  const path = (globalThis as Expecting).expect?.getState?.().testPath ?? fileOfStack()
  return path === undefined ? '' : relative(process.cwd(), path)
}

/** Without `expect` in the global scope: the nearest caller whose name is a test's. */
function fileOfStack(): string | undefined {
  const callers = new Error().stack ?? ''
  return /(?:file:\/\/)?(\/[^\s():]+\.(?:test|spec)\.[cm]?[jt]sx?)/.exec(callers)?.[1]
}
