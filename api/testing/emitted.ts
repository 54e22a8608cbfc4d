// The server as it is shipped: emitted JavaScript in a folder of its own, for tests that start it many times (half a second instead of two).
import { execFile } from 'node:child_process'
import { access, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Emitted {
  /** For `TestServerOptions.program`. */
  readonly program: readonly string[]
  remove(): Promise<void>
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Emits whatever the sources are now; throws with what `tsc` said if there is no program afterwards. */
export async function emit(): Promise<Emitted> {
  const folder = await mkdtemp(join(tmpdir(), 'suanpan-emitted-'))
  for (const name of ['node_modules', 'package.json', 'schemas']) await symlink(join(root, name), join(folder, name))
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const main = join(folder, 'dist', 'api', 'cli', 'main.js')
  const said = await new Promise<string>((resolve) => {
    const args = ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')]
    execFile(tsc, args, { timeout: 60_000 }, (_error, stdout, stderr) => resolve(stdout + stderr))
  })
  await access(main).catch(() => {
    throw new Error(`nothing was emitted:\n${said}`)
  })
  return { program: [main], remove: () => rm(folder, { recursive: true, force: true }) }
}
