// What a `--cpu-prof` file says: which functions the time of a thread was spent in. Pure.
import type { Stack } from './report/flame.ts'

/** The format of V8's CPU profiles (https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: readonly number[]
  }[]
  /** Of the monotonic clock, in microseconds: what `process.hrtime` counts, in whichever process. */
  readonly startTime: number
  readonly samples: readonly number[]
  /** Microseconds between the samples. */
  readonly timeDeltas: readonly number[]
}

export interface FunctionTime {
  readonly name: string
  readonly where: string
  /** In the function itself, and in it with all that it called. */
  readonly selfMicros: number
  readonly totalMicros: number
}

const idle = '(idle)'
const root = '(root)'

/** The part of a profile between two times of the monotonic clock, in microseconds: the load without start and end of the process. */
export function between(profile: CpuProfile, from: number, to: number): CpuProfile {
  let at = profile.startTime
  const timeDeltas = profile.timeDeltas.map((delta, i) => {
    at += delta
    // A delta is the time before its sample, and belongs to the one before that.
    return i > 0 && at > from && at <= to ? delta : 0
  })
  return { ...profile, timeDeltas }
}

/** Functions by their own time, the longest first; time in which the thread waited is left out. */
export function functionTimes(profile: CpuProfile): FunctionTime[] {
  const self = selfByNode(profile)
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const times = new Map<string, { name: string; where: string; selfMicros: number; totalMicros: number }>()
  const visit = (id: number, above: ReadonlySet<string>): number => {
    const node = byId.get(id)
    if (node === undefined) return 0
    const { functionName, url, lineNumber } = node.callFrame
    const key = `${functionName} ${url} ${lineNumber}`
    const within = above.has(key) ? above : new Set(above).add(key)
    const own = self.get(id) ?? 0
    const total = (node.children ?? []).reduce((sum, child) => sum + visit(child, within), own)
    const known = times.get(key) ?? {
      name: functionName || '(anonymous)',
      where: shortPlace(url, lineNumber),
      selfMicros: 0,
      totalMicros: 0,
    }
    known.selfMicros += own
    // A function that calls itself is counted once.
    if (!above.has(key)) known.totalMicros += total
    times.set(key, known)
    return total
  }
  const [first] = profile.nodes
  if (first !== undefined) visit(first.id, new Set())
  return [...times.values()]
    .filter(({ name }) => name !== idle && name !== root)
    .sort((a, b) => b.selfMicros - a.selfMicros)
}

/** The time of each call path, waiting left out. */
export function stacksOf(profile: CpuProfile): Stack[] {
  const self = selfByNode(profile)
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const stacks: Stack[] = []
  const visit = (id: number, callers: Stack['frames']): void => {
    const node = byId.get(id)
    if (node === undefined) return
    const { functionName, url, lineNumber } = node.callFrame
    if (functionName === idle) return
    const own = { name: functionName || '(anonymous)', where: shortPlace(url, lineNumber) }
    const frames = functionName === root ? callers : [...callers, own]
    const micros = self.get(id) ?? 0
    if (micros > 0) stacks.push({ frames, micros })
    for (const child of node.children ?? []) visit(child, frames)
  }
  const [first] = profile.nodes
  if (first !== undefined) visit(first.id, [])
  return stacks
}

export const busyMicros = (profile: CpuProfile): number =>
  functionTimes(profile).reduce((sum, { selfMicros }) => sum + selfMicros, 0)

/** Which thread it is of: workers run the worker's entry. */
export const isOfWorker = (profile: CpuProfile): boolean =>
  profile.nodes.some(({ callFrame }) => callFrame.url.includes('adapters/piscina/worker'))

function selfByNode({ samples, timeDeltas }: CpuProfile): Map<number, number> {
  const self = new Map<number, number>()
  for (const [i, id] of samples.entries()) self.set(id, (self.get(id) ?? 0) + (timeDeltas[i + 1] ?? 0))
  return self
}

/** `adapters/postgres/copy.ts:21` of a file of ours, `pg` of a package, `node:net` of Node. */
function shortPlace(url: string, line: number): string {
  if (url === '') return ''
  const inPackage = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
  if (inPackage !== undefined) return inPackage
  if (url.startsWith('node:')) return url
  const ours = /\/((?:core|actors|adapters|api|schemas|perf)\/.*)$/.exec(url)?.[1] ?? url
  return `${ours}:${line + 1}`
}
