// Stands between the engine and the socket of its Postgres, and spoils one commit when it is told to.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * `answer`: the commit reaches the server, its answer never the client, whose connection ends once `committed` resolves.
 * `copy`: the server's connection ends in the middle of the rows.
 * `late`: the client's connection ends, and the end of the rows reaches the server only when `committed` resolves.
 */
export type Cut = 'answer' | 'copy' | 'late'

export interface CuttingProxy {
  readonly url: string
  /** Spoils the next commit with rows, once. Resolves when it is done. */
  cut(how: Cut, committed: () => Promise<void>): Promise<void>
  stop(): Promise<void>
}

/** The message with which the client ends a COPY. */
const copyDone = Buffer.from([0x63, 0, 0, 0, 4])

export async function cuttingProxy(url: string): Promise<CuttingProxy> {
  const target = new URL(url)
  const port = target.searchParams.get('port') ?? (target.port === '' ? '5432' : target.port)
  const upstream = join(target.searchParams.get('host') ?? '', `.s.PGSQL.${port}`)
  const dir = await mkdtemp(join(tmpdir(), 'cut-'))
  const sockets = new Set<Socket>()
  let armed: { how: Cut; committed: () => Promise<void>; done: () => void } | undefined

  const server = createServer((client) => {
    const backend = createConnection(upstream)
    let swallow = false
    let inCommit = false
    let tail = ''
    const end = (): void => {
      client.destroy()
      backend.destroy()
    }
    for (const socket of [client, backend]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('close', () => {
      if (!swallow) backend.destroy()
    })
    backend.on('close', () => client.destroy())
    backend.on('data', (bytes) => {
      if (!swallow) client.write(bytes)
    })
    client.on('data', (bytes) => {
      if (armed === undefined) {
        backend.write(bytes)
        return
      }
      let text = tail + bytes.toString('latin1')
      tail = text.slice(-32)
      const advance = text.indexOf('suanpan.advance')
      if (!inCommit && advance >= 0) {
        inCommit = true
        // The end of the COPY before may stand in front of it.
        text = text.slice(advance)
        tail = text.slice(-32)
      }
      const { how, committed, done } = armed
      const atEnd = inCommit && text.includes(copyDone.toString('latin1'))
      if (how === 'copy' && inCommit && text.includes('PGCOPY')) {
        armed = undefined
        backend.write(bytes.subarray(0, bytes.length >> 1), () => {
          end()
          done()
        })
      } else if (how === 'answer' && atEnd) {
        armed = undefined
        swallow = true
        backend.write(bytes)
        void committed().then(() => {
          end()
          done()
        })
      } else if (how === 'late' && atEnd) {
        armed = undefined
        swallow = true
        client.destroy()
        void committed().then(() => {
          backend.write(bytes, () => done())
          backend.on('close', () => done())
        })
      } else backend.write(bytes)
    })
  })
  server.listen(join(dir, '.s.PGSQL.5432'))
  await once(server, 'listening')
  target.searchParams.set('host', dir)
  if (target.searchParams.has('port')) target.searchParams.set('port', '5432')
  return {
    url: target.href,
    cut: (how, committed) =>
      new Promise((done) => {
        armed = { how, committed, done }
      }),
    stop: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
