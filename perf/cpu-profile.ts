// What a `--cpu-prof` file says: which functions the time of a thread was spent in. Pure.

/** The format of V8's CPU profiles (https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: readonly number[]
  }[]
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
  const [root] = profile.nodes
  if (root !== undefined) visit(root.id, new Set())
  return [...times.values()]
    .filter(({ name }) => name !== idle && name !== '(root)')
    .sort((a, b) => b.selfMicros - a.selfMicros)
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
