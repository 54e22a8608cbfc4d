// A lean HTTP/1.1 client over one kept-alive connection: one request at a time, its bytes made by the caller. A tenth of what a whole client costs,
// because on a machine of few cores every microsecond of the load's is one less for the server under it.
import { connect, type Socket } from 'node:net'

export interface Response {
  readonly status: number
  /** Undefined unless asked for. */
  readonly body: Buffer | undefined
}

export class Connection {
  private readonly socket: Socket
  private readonly keepsBodies: boolean
  private pending: Buffer | undefined
  private done: ((response: Response) => void) | undefined
  private failed: ((error: Error) => void) | undefined

  private constructor(socket: Socket, keepsBodies: boolean) {
    this.socket = socket
    this.keepsBodies = keepsBodies
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.read(chunk))
    socket.on('error', (error) => this.failed?.(error))
    socket.on('close', () => this.failed?.(new Error('the server closed the connection')))
  }

  static open(url: string, keepsBodies = false): Promise<Connection> {
    const { hostname, port } = new URL(url)
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port) })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.removeListener('error', reject)
        resolve(new Connection(socket, keepsBodies))
      })
    })
  }

  get isBusy(): boolean {
    return this.done !== undefined
  }

  /** `failed` if the connection breaks before the answer is whole: what became of the request is unknown then. */
  send(request: Buffer | string, done: (response: Response) => void, failed: (error: Error) => void): void {
    if (this.done !== undefined) throw new Error('a connection has one request under way')
    this.done = done
    this.failed = failed
    this.socket.write(request)
  }

  request(request: Buffer | string): Promise<Response> {
    return new Promise((resolve, reject) => this.send(request, resolve, reject))
  }

  close(): void {
    this.failed = undefined
    this.socket.destroy()
  }

  private read(chunk: Buffer): void {
    const bytes = this.pending === undefined ? chunk : Buffer.concat([this.pending, chunk])
    const end = endOfResponse(bytes)
    if (end === undefined) {
      this.pending = bytes
      return
    }
    this.pending = undefined
    const { done } = this
    this.done = undefined
    this.failed = undefined
    const status = digit(bytes, 9) * 100 + digit(bytes, 10) * 10 + digit(bytes, 11)
    done?.({ status, body: this.keepsBodies ? bytes.subarray(end.bodyAt, end.at) : undefined })
  }
}

const headEnd = Buffer.from('\r\n\r\n')
const lastChunk = Buffer.from('\r\n0\r\n\r\n')
const digit = (bytes: Buffer, at: number): number => (bytes[at] ?? 48) - 48

/** Where the first response in `bytes` ends; undefined while it is not all there. A body is framed by its length or in chunks. */
export function endOfResponse(bytes: Buffer): { readonly at: number; readonly bodyAt: number } | undefined {
  const head = bytes.indexOf(headEnd)
  if (head === -1) return undefined
  const bodyAt = head + headEnd.length
  const headers = bytes.toString('latin1', 0, head)
  const length = /\r\ncontent-length: *(\d+)/i.exec(headers)?.[1]
  if (length !== undefined) {
    const at = bodyAt + Number(length)
    return at <= bytes.length ? { at, bodyAt } : undefined
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(headers)) return { at: bodyAt, bodyAt }
  // Bodies are JSON, whose lines end in a bare \n, or MessagePack that comes with its length: the last chunk cannot be mistaken.
  return bytes.subarray(-lastChunk.length).equals(lastChunk) ? { at: bytes.length, bodyAt } : undefined
}

/** The bytes of a POST. */
export function postBytes(path: string, body: string | Buffer, contentType = 'application/json'): Buffer {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${contentType}\r\ncontent-length: ${length}\r\n\r\n`
  return typeof body === 'string' ? Buffer.from(head + body) : Buffer.concat([Buffer.from(head), body])
}

export const getBytes = (path: string): Buffer => Buffer.from(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
