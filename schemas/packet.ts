// The wire and stored form of messages between partitions: a packet holds what one partition tells another after one commit. The envelope is
// MessagePack like a frame's, told from it by its version, the messages are one JSON text, positional, which is also what the outbox keeps.
//
//   [version, from, first, sent, ack, again, '[message *]']
import { Decoder, Encoder } from '@msgpack/msgpack'
import type { Joint, Leg, LegAsset, LinkMessage, Move, Part } from '../core/across/joint.ts'
import { refusalNumbers, refusalOf } from '../core/code.ts'
import type { TransactionCommand } from '../core/command.ts'
import { type IdKey, idKeyFromBytes } from '../core/identity.ts'
import type { PostedKind } from '../core/row.ts'

/** Never one of `frameVersion`. */
const packetVersion = 64

export interface Packet {
  readonly from: number
  /** Number of the first message; the others follow on. Without meaning where there are none. */
  readonly first: number
  /** Number of the last message that was sent on the link when this left: this packet's last, unless it is sent again. */
  readonly sent: number
  /** All up to this number was received on the link the other way. */
  readonly ack: number
  /** Something is missing: send again all that is not acknowledged. */
  readonly again: boolean
  readonly messages: readonly LinkMessage[]
}

const encoder = new Encoder()
const decoder = new Decoder()

/** `text` as `messagesText` wrote it; '[]': nothing but marks. */
export const encodePacket = ({ from, first, sent, ack, again }: Omit<Packet, 'messages'>, text: string): Uint8Array =>
  encoder.encode([packetVersion, from, first, sent, ack, again, text])

/** A fixed array and a small number: the second byte of either envelope is its version. */
export const isPacket = (frame: Uint8Array): boolean => frame[1] === packetVersion

/** Throws RangeError for bytes that are not a packet of a known version. */
export function decodePacket(bytes: Uint8Array): Packet {
  const envelope = decoder.decode(bytes)
  if (!Array.isArray(envelope) || envelope[0] !== packetVersion || typeof envelope[6] !== 'string') {
    throw new RangeError(`not a packet of version ${packetVersion}`)
  }
  const [, from, first, sent, ack, again, text] = envelope as [number, number, number, number, number, boolean, string]
  return { from, first, sent, ack, again, messages: messagesOf(text) }
}

export const messagesText = (messages: readonly LinkMessage[]): string => JSON.stringify(messages.map(wired))

export const messagesOf = (text: string): LinkMessage[] => (JSON.parse(text) as Wired[]).map(unwired)

// ---- one message ----------------------------------------------------------------------------------------------------------------

type WiredJoint = readonly [
  key: string,
  command: TransactionCommand,
  kind: PostedKind,
  legs: readonly (readonly [from: string, to: string, amount: string, asset: string | 0, known: string | 0])[],
  date: number,
  link: string | 0,
  parties: readonly number[],
]
type WiredPart = readonly [
  moves: readonly (readonly [from: string, to: string, amount: string, asset: string, far: string | 0])[],
  holds: readonly (readonly [account: string, amount: string])[],
]
type Wired =
  | readonly ['settle', WiredJoint, WiredPart]
  | readonly ['reserve', WiredJoint]
  | readonly ['settled' | 'reserved', string, readonly LegAsset[]]
  | readonly ['refused', string, number]
  | readonly ['post' | 'release', string]

function wired(message: LinkMessage): Wired {
  switch (message.kind) {
    case 'settle':
      return ['settle', wiredJoint(message.joint), wiredPart(message.part)]
    case 'reserve':
      return ['reserve', wiredJoint(message.joint)]
    case 'settled':
    case 'reserved':
      return [message.kind, keyText(message.idKey), message.assets]
    case 'refused':
      return ['refused', keyText(message.idKey), refusalNumbers[message.code]]
    case 'post':
    case 'release':
      return [message.kind, keyText(message.idKey)]
  }
}

function unwired(message: Wired): LinkMessage {
  switch (message[0]) {
    case 'settle':
      return { kind: 'settle', joint: jointFrom(message[1]), part: partFrom(message[2]) }
    case 'reserve':
      return { kind: 'reserve', joint: jointFrom(message[1]) }
    case 'settled':
    case 'reserved':
      return { kind: message[0], idKey: keyFrom(message[1]), assets: message[2] }
    case 'refused':
      return { kind: 'refused', idKey: keyFrom(message[1]), code: refusalOf(message[2]) ?? 'internal_error' }
    case 'post':
    case 'release':
      return { kind: message[0], idKey: keyFrom(message[1]) }
    default:
      throw new RangeError(`a packet holds a message of unknown kind ${String(message)}`)
  }
}

const keyText = (key: IdKey): string => Buffer.from(key, 'latin1').toString('base64')
const keyFrom = (text: string): IdKey => idKeyFromBytes(Buffer.from(text, 'base64'))

export const wiredJoint = ({ idKey, command, kind, legs, date, link, parties }: Joint): WiredJoint => [
  keyText(idKey),
  command,
  kind,
  legs.map((leg) => [leg.from, leg.to, leg.amount, leg.asset ?? 0, leg.known ?? 0]),
  date,
  link === undefined ? 0 : keyText(link),
  parties,
]

export const jointFrom = ([key, command, kind, legs, date, link, parties]: WiredJoint): Joint => ({
  idKey: keyFrom(key),
  command,
  kind,
  legs: legs.map(
    ([from, to, amount, asset, known]): Leg => ({
      from,
      to,
      amount,
      asset: asset === 0 ? undefined : asset,
      known: known === 0 ? undefined : known,
    }),
  ),
  date,
  link: link === 0 ? undefined : keyFrom(link),
  parties,
})

export const wiredPart = ({ moves, holds }: Part): WiredPart => [
  moves.map(({ from, to, amount, asset, far }) => [from, to, String(amount), asset, far ?? 0]),
  holds.map(([account, amount]) => [account, String(amount)]),
]

export const partFrom = ([moves, holds]: WiredPart): Part => ({
  moves: moves.map(
    ([from, to, amount, asset, far]): Move => ({
      from,
      to,
      amount: BigInt(amount),
      asset,
      far: far === 0 ? undefined : far,
    }),
  ),
  holds: holds.map(([account, amount]) => [account, BigInt(amount)]),
})
