// COPY into a table, in PostgreSQL's binary format, and the text of literals for the statements that go with it.
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { IdKey } from '../../core/identity.ts'
import { copyHeader, copyTrailer, postgresEpochMs } from '../../schemas/journal-row.ts'

/** Pieces of this size let the server parse while we still send: 64 kB is also its read buffer's order. */
const pieceBytes = 65_536

/**
 * Runs `text`, a script with exactly one `COPY .. FROM STDIN (FORMAT binary)` in it, and feeds it the tuples. Statements before and after
 * the COPY run in the same round trip. Resolves when the server is ready again; rejects with the first error of any statement.
 *
 * Script and rows leave together, in one write and without the wait for CopyInResponse in between: it cost a round trip, and a turn of a busy
 * event loop, for nothing. If the server refuses the script it drops the rows that follow, as its protocol says ("Copy Operations": CopyData messages
 * that arrive outside of copy-in mode are ignored).
 */
export function copyIn(client: pg.Client, text: string, tuples: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const { stream: socket } = (client as unknown as { connection: { stream: Corked } }).connection
    socket.cork()
    const stream = client.query(copyFrom(text)) as ReturnType<typeof copyFrom> & EagerCopy
    // A connection that ends in mid-COPY does not reach the stream: watch it too.
    const ended = (): void => reject(new Error('the connection ended during COPY'))
    client.once('end', ended)
    const settle = (done: () => void): void => {
      client.removeListener('end', ended)
      done()
    }
    stream.on('error', (error) => {
      settle(() => reject(error))
      process.nextTick(abandon, stream)
    })
    stream.on('finish', () => settle(resolve))
    if (stream.connection !== undefined) stream.handleCopyInResponse(stream.connection)
    stream.write(copyHeader)
    for (let at = 0; at < tuples.length; at += pieceBytes) stream.write(tuples.subarray(at, at + pieceBytes))
    stream.end(copyTrailer)
    socket.uncork()
  })
}

/**
 * A COPY that was refused while rows still wait for the socket: pg-copy-streams forgets its connection then, and would stumble over that at the
 * next `drain`, outside of any promise, which ends the thread.
 */
function abandon(stream: EagerCopy): void {
  stream.chunks = []
  stream.connection = { stream: { cork: nothing, uncork: nothing, once: nothing, write: () => true } }
}

const nothing = (): void => undefined

interface Corked {
  cork(): void
  uncork(): void
}

/** What pg-copy-streams keeps for pg: the connection from the moment the script was sent, and what it does when rows may follow. */
interface EagerCopy {
  connection?: { readonly stream: Corked & { once?(): void; write?(): boolean } }
  chunks: unknown[]
  handleCopyInResponse(connection: unknown): void
}

export type Cell =
  | { readonly int8: number | bigint }
  | { readonly int4: number }
  | { readonly int2: number }
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
  | { readonly uuid: IdKey }
  | { readonly timeMs: number }
  | null

/** Tuples of any columns: for the small tables, where a row is rare. The journal has its own writer. */
export function tuplesOf(rows: readonly (readonly Cell[])[]): Buffer {
  const pieces: Buffer[] = []
  for (const row of rows) {
    const count = Buffer.allocUnsafe(2)
    count.writeInt16BE(row.length)
    pieces.push(count)
    for (const cell of row) {
      const value = bytesOf(cell)
      const length = Buffer.allocUnsafe(4)
      length.writeInt32BE(value === undefined ? -1 : value.length)
      pieces.push(length)
      if (value !== undefined) pieces.push(value)
    }
  }
  return Buffer.concat(pieces)
}

function bytesOf(cell: Cell): Buffer | undefined {
  if (cell === null) return undefined
  if ('text' in cell) return Buffer.from(cell.text)
  if ('bytes' in cell) return Buffer.from(cell.bytes)
  if ('uuid' in cell) return Buffer.from(cell.uuid, 'latin1')
  if ('int2' in cell) {
    const value = Buffer.allocUnsafe(2)
    value.writeInt16BE(cell.int2)
    return value
  }
  if ('int4' in cell) {
    const value = Buffer.allocUnsafe(4)
    value.writeInt32BE(cell.int4)
    return value
  }
  const value = Buffer.allocUnsafe(8)
  value.writeBigInt64BE('int8' in cell ? BigInt(cell.int8) : BigInt((cell.timeMs - postgresEpochMs) * 1000))
  return value
}

/** An array literal of numbers. */
export const numbers = (type: 'smallint' | 'integer' | 'bigint', values: readonly (number | bigint)[]): string =>
  `'{${values.join(',')}}'::${type}[]`

/** An array literal of id keys. */
export const uuids = (keys: readonly IdKey[]): string => `'{${keys.map(uuidText).join(',')}}'::uuid[]`

export const uuidText = (key: IdKey): string => Buffer.from(key, 'latin1').toString('hex')

/** An array literal of byte strings, null where undefined. */
export const byteas = (values: readonly (Uint8Array | undefined)[]): string =>
  `'{${values.map((value) => (value === undefined ? 'NULL' : `"\\\\x${Buffer.from(value).toString('hex')}"`)).join(',')}}'::bytea[]`

/** An array literal of texts without quotes, backslashes or control characters, null where undefined. */
export function plainTexts(values: readonly (string | undefined)[]): string {
  const items = values.map((value) => {
    if (value === undefined) return 'NULL'
    if (!/^[A-Za-z0-9:+._ -]*$/.test(value)) throw new RangeError(`not a plain text: ${value}`)
    return `"${value}"`
  })
  return `'{${items.join(',')}}'::text[]`
}
