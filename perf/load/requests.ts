// Debits as the bytes of HTTP requests, singly and in batches of each kind, and how to tell from an answer's bytes that all were posted.
import { Encoder } from '@msgpack/msgpack'
import type { Picker } from '../zipf.ts'
import { accountId } from './commands.ts'
import { postBytes } from './connection.ts'

const path = '/v1/transactions'

const debitText = (id: string, account: number): string =>
  `{"id":"${id}","type":"debit","account":"${accountId(account)}","amount":"0.01"}`

/** One debit a call; `name` makes the ids of this load its own. */
export function singleDebits(name: string, pick: Picker): () => Buffer {
  let n = 0
  return () => postBytes(path, debitText(`${name}-${n++}`, pick()))
}

export const batchKinds = ['ndjson', 'json', 'msgpack'] as const
export type BatchKind = (typeof batchKinds)[number]

interface Format {
  readonly contentType: string
  readonly body: (debits: readonly (readonly [id: string, account: number])[]) => string | Buffer
  /** What stands once in an answer for each posted debit. */
  readonly posted: Buffer
}

const encoder = new Encoder()

const formats: Readonly<Record<BatchKind, Format>> = {
  ndjson: {
    contentType: 'application/x-ndjson',
    body: (debits) => `${debits.map(([id, account]) => debitText(id, account)).join('\n')}\n`,
    posted: Buffer.from('"http":201'),
  },
  json: {
    contentType: 'application/json',
    body: (debits) => `[${debits.map(([id, account]) => debitText(id, account)).join(',')}]`,
    posted: Buffer.from('"http":201'),
  },
  msgpack: {
    contentType: 'application/msgpack',
    body: (debits) =>
      Buffer.from(
        encoder.encode(
          debits.map(([id, account]) => ({ id, type: 'debit', account: accountId(account), amount: '0.01' })),
        ),
      ),
    // The key `http`, then 201 as uint8.
    posted: Buffer.from('\xa4http\xcc\xc9', 'latin1'),
  },
}

export interface BatchRequests {
  /** Made beforehand: what the client spends on encoding is not the server's. */
  readonly requests: readonly Buffer[]
  /** Throws unless an answer says that its whole batch was posted. */
  readonly check: (body: Buffer) => void
}

export function batchDebits(kind: BatchKind, name: string, batches: number, size: number, pick: Picker): BatchRequests {
  const { contentType, body, posted } = formats[kind]
  let n = 0
  const requests = Array.from({ length: batches }, () => {
    const debits = Array.from({ length: size }, () => [`${name}-${n++}`, pick()] as const)
    return postBytes(`${path}/batch`, body(debits), contentType)
  })
  return {
    requests,
    check: (answer) => {
      const found = countOf(answer, posted)
      if (found !== size)
        throw new Error(`${found} of ${size} debits of a batch were posted: ${answer.toString('latin1', 0, 300)}`)
    },
  }
}

export function countOf(bytes: Buffer, part: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(part); at !== -1; at = bytes.indexOf(part, at + part.length)) count++
  return count
}
