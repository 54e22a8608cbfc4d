// Stands between the mailbox and its Redis: an address that stays while the server behind it changes, as a managed failover does it, and that
// loses a reply when it is told to.
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'

export interface Switchboard {
  readonly url: string
  /** Ends all connections; new ones go to this port. */
  switchTo(port: number): void
  /** The next request that holds this text reaches the server; its reply does not come back, the connection ends. */
  loseReplyTo(text: string): Promise<void>
  stop(): Promise<void>
}

export async function switchboard(port: number): Promise<Switchboard> {
  let target = port
  let armed: { readonly text: string; readonly done: () => void } | undefined
  const sockets = new Set<Socket>()
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((client) => {
    const backend = createConnection(target, '127.0.0.1')
    let lost: (() => void) | undefined
    for (const socket of [client, backend]) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('close', () => backend.destroy())
    backend.on('close', () => client.destroy())
    client.on('data', (bytes) => {
      if (armed !== undefined && bytes.includes(armed.text)) {
        lost = armed.done
        armed = undefined
      }
      backend.write(bytes)
    })
    backend.on('data', (bytes) => {
      if (lost === undefined) client.write(bytes)
      else {
        client.destroy()
        lost()
        lost = undefined
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    switchTo: (to) => {
      target = to
      cutAll()
    },
    loseReplyTo: (text) =>
      new Promise((done) => {
        armed = { text, done }
      }),
    stop: async () => {
      server.close()
      cutAll()
    },
  }
}
