// What waits to be decided: a command of a client, or a message of another partition in the place of one.
import { keyOf } from '../core/across/hear.ts'
import type { LinkMessage } from '../core/across/joint.ts'
import type { Command } from '../core/command.ts'
import { idKeyOf } from '../core/identity.ts'
import { ownerOfCommand, referredIdOf } from '../core/owner.ts'
import type { Received } from '../core/partition.ts'
import type { Stamped } from '../schemas/frame.ts'
import { decodePacket, type Packet } from '../schemas/packet.ts'

/** A command with the ticket of whoever waits for its answer. */
export interface Waiting extends Received {
  readonly ticket: number
  /** Then the command is a mere stand-in and nobody waits. */
  readonly arrived?: Arrived
}

export interface Arrived {
  readonly from: number
  readonly number: number
  /** Undefined: a packet that brings marks only. */
  readonly message: LinkMessage | undefined
  /** With the last message of its packet. */
  readonly marks: Omit<Packet, 'messages'> | undefined
}

export function waitingOf({ command, ticket, stampedAt }: Stamped): Waiting {
  const owner = ownerOfCommand(command)
  const referred = referredIdOf(command)
  return {
    command,
    idKey: idKeyOf(owner, command.id),
    refKey: referred === undefined ? undefined : idKeyOf(owner, referred),
    stampedAt,
    ticket,
  }
}

/** The messages of a packet, at least one: a packet without any still brings its marks. */
export const messagesIn = (bytes: Uint8Array): Waiting[] => messagesOf(decodePacket(bytes))

export function messagesOf({ messages, ...marks }: Packet): Waiting[] {
  if (messages.length === 0) return [standIn({ from: marks.from, number: 0, message: undefined, marks })]
  const last = messages.length - 1
  return messages.map((message, i) =>
    standIn({ from: marks.from, number: marks.first + i, message, marks: i === last ? marks : undefined }),
  )
}

function standIn(arrived: Arrived): Waiting {
  const { message } = arrived
  const command = message !== undefined && 'joint' in message ? message.joint.command : noCommand
  const idKey = message === undefined ? noKey : keyOf(message)
  return { command, idKey, refKey: undefined, stampedAt: 0, ticket: 0, arrived }
}

const noCommand: Command = { type: 'expire', id: '!link', account: '' }
const noKey = idKeyOf('', '')
