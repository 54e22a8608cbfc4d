// A module for `EngineOptions.sabotage`, as text: it runs inside the worker thread and says what is alive there. When a command called `probe-..` comes by,
// it collects all garbage and reports; otherwise it does nothing. As text, because a worker started from TypeScript sources can load no others.

export const probeChannel = 'suanpan memory probe'

export interface Probed {
  readonly id: string
  readonly heapBytes: number
  readonly bufferBytes: number
}

const source = `
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { BroadcastChannel } from 'node:worker_threads'

export function beforeDecide({ command: { id } }) {
  if (!id.startsWith('probe-')) return
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const channel = new BroadcastChannel(${JSON.stringify(probeChannel)})
  channel.postMessage({ id, heapBytes: heapUsed, bufferBytes: arrayBuffers })
  channel.close()
}`

export const probeModule = `data:text/javascript,${encodeURIComponent(source)}`
