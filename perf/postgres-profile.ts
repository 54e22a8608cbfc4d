// Samples the backends of a Postgres under load with Linux `perf`, where that is installed and allowed: which functions of the server the CPU
// time of a commit goes to.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { childrenOf } from './cpu.ts'
import type { Frame, Stack } from './report/flame.ts'

const run = promisify(execFile)
const samplesPerSecond = 299
/** Of stack copied with each sample, to be unwound later: Postgres is built without frame pointers. */
const stackBytes = 8192

export interface PostgresProfile {
  /** Stops sampling and reads what was sampled. */
  end(): Promise<Stack[]>
}

/** Undefined where there is no `perf`, or it may not look. */
export async function profilePostgres(postmaster: number, file: string): Promise<PostgresProfile | undefined> {
  const backends = childrenOf(postmaster)
  const args = ['record', '-q', '-F', `${samplesPerSecond}`, '--call-graph', `dwarf,${stackBytes}`]
  const perf = spawn('perf', [...args, '-o', file, '-p', backends.join(',')], { stdio: 'ignore' })
  if (!(await started(perf))) return undefined
  return {
    end: async () => {
      if (perf.exitCode !== null) return []
      perf.kill('SIGINT')
      await once(perf, 'exit')
      const { stdout } = await run('perf', ['script', '--no-inline', '-i', file, '-F', 'comm,ip,sym,dso'], {
        maxBuffer: 1 << 30,
      })
      return stacksOfScript(stdout)
    },
  }
}

async function started(child: ChildProcess): Promise<boolean> {
  const spawned = await Promise.race([once(child, 'spawn').then(() => true), once(child, 'error').then(() => false)])
  child.on('error', () => undefined)
  return spawned
}

/** Samples as `perf script -F comm,ip,sym,dso` prints them: a line with the command, then a line a frame, callees first, then an empty line. */
export function stacksOfScript(text: string): Stack[] {
  const micros = 1e6 / samplesPerSecond
  const stacks: Stack[] = []
  for (const sample of text.split('\n\n')) {
    const frames = sample
      .split('\n')
      .map(frameOf)
      .filter((frame) => frame !== undefined)
      .reverse()
    if (frames.length > 0) stacks.push({ frames: fromMainLoop(frames), micros })
  }
  return stacks
}

const line = /^\s+[0-9a-f]+ (.+) \(([^()]*)\)$/

function frameOf(text: string): Frame | undefined {
  const [, name, library = ''] = line.exec(text) ?? []
  if (name === undefined) return undefined
  const file = library.split('/').pop() ?? library
  return { name, where: file.startsWith('[') ? 'kernel' : file }
}

/** What every backend went through before it waited for its first query says nothing. */
function fromMainLoop(frames: readonly Frame[]): readonly Frame[] {
  const loop = frames.findIndex(({ name }) => name === 'PostgresMain')
  return loop < 0 ? frames : frames.slice(loop)
}
