// What partitions have under way with each other, as it is loaded when they are taken over.
import type pg from 'pg'
import type { LinkHead, StoredPacket } from '../../actors/links.ts'

/** Expects that nobody else may write them any more: the epochs were raised before. */
export async function readAcross(
  client: pg.Client,
  partitions: readonly number[],
): Promise<{
  readonly links: ReadonlyMap<number, readonly LinkHead[]>
  readonly joints: ReadonlyMap<number, readonly string[]>
}> {
  const marks = await client.query<Record<'partition' | 'peer', number> & Record<Mark, string>>(
    `SELECT partition, peer, sent, acked, received, answered FROM suanpan.link
      WHERE partition = ANY ($1::smallint[]) ORDER BY partition, peer`,
    [partitions],
  )
  const packets = await client.query<{
    partition: number
    peer: number
    first: string
    last: string
    messages: Buffer
  }>(
    `SELECT partition, peer, first, last, messages FROM suanpan.outbox
      WHERE partition = ANY ($1::smallint[]) ORDER BY partition, peer, last`,
    [partitions],
  )
  const open = await client.query<{ partition: number; record: Buffer }>(
    'SELECT partition, record FROM suanpan.joint WHERE partition = ANY ($1::smallint[]) ORDER BY partition, id_key',
    [partitions],
  )
  const outboxes = new Map<string, StoredPacket[]>()
  for (const { partition, peer, first, last, messages } of packets.rows) {
    add(outboxes, `${partition} ${peer}`, { first: Number(first), last: Number(last), text: messages.toString() })
  }
  const links = new Map<number, LinkHead[]>()
  for (const { partition, peer, ...row } of marks.rows) {
    add(links, partition, {
      peer,
      sent: Number(row.sent),
      acked: Number(row.acked),
      received: Number(row.received),
      answered: Number(row.answered),
      outbox: outboxes.get(`${partition} ${peer}`) ?? [],
    })
  }
  const joints = new Map<number, string[]>()
  for (const { partition, record } of open.rows) add(joints, partition, record.toString())
  return { links, joints }
}

type Mark = 'sent' | 'acked' | 'received' | 'answered'

function add<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
