// The links of one hosted partition: what it has sent to each other partition and not heard of yet, how far it has received, and what must leave
// once a commit stands. Dense numbers make every message apply once and in order, whatever the mailboxes lose, double or turn round
// (docs/decisions/023-across-owners.md). Deciding what a message means is core's.
import type { LinkMessage } from '../core/across/joint.ts'
import { violated } from '../core/invariant.ts'
import { encodePacket, messagesOf, messagesText, type Packet } from '../schemas/packet.ts'

/** Where a link stands in the ledger, with all that is not acknowledged. */
export interface LinkHead {
  readonly peer: number
  /** Numbers of the last message sent, acknowledged by the peer, and received from it. */
  readonly sent: number
  readonly acked: number
  readonly received: number
  /** Number of the last question whose answer was applied: what an outbox holds of questions behind it is open. */
  readonly answered: number
  /** Oldest first. */
  readonly outbox: readonly StoredPacket[]
}

/** What the outbox keeps: messages `first` to `last` as `messagesText` wrote them. */
export interface StoredPacket {
  readonly first: number
  readonly last: number
  readonly text: string
}

/** What a commit writes of a link. */
export interface LinkChange {
  readonly partition: number
  readonly peer: number
  readonly sent: number
  readonly acked: number
  readonly received: number
  readonly answered: number
  readonly packet: StoredPacket | undefined
}

/** A packet on its way to the mailbox of `to`. */
export interface Outgoing {
  readonly to: number
  readonly bytes: Uint8Array
  /** What it counts in the mailbox. */
  readonly messages: number
}

/** What a commit lets out: messages of the batch, with the marks as it commits them. */
export interface Leaving {
  readonly to: number
  readonly packet: Packet
  /** Of the messages, as the outbox keeps them. */
  readonly text: string
}

/** For a partition that another lane hosts. */
export const outgoingOf = ({ to, packet, text }: Leaving): Outgoing => ({
  to,
  bytes: encodePacket(packet, text),
  messages: packet.messages.length,
})

/** What a number means to the receiver. */
export type Turn = 'next' | 'again' | 'gap'

interface Link {
  readonly peer: number
  sent: number
  acked: number
  /** The peer has these for sure: sending them again would tell it nothing. At or beyond `acked`. */
  heard: number
  /** A mark that counts when everything up to `sent` is applied here. */
  told: { readonly ack: number; readonly sent: number } | undefined
  received: number
  answered: number
  outbox: StoredPacket[]
  /** Numbers of the questions behind `answered`. The peer answers in order, each once, so the next answer is that of the first. */
  questions: number[]
  /** Messages that this batch adds, in order. */
  adding: LinkMessage[]
  /** Changed since the last `changes`. */
  touched: boolean
  /** As they stand in the ledger. Batches overlap: only these may be told outside of their commit (P1). */
  committedSent: number
  committedReceived: number
  /** Owes the peer a mark: since when, in milliseconds of `elapsed`. */
  owesSince: number | undefined
  /** The peer must be told now: it sent what was received before, or something between is missing. */
  tell: 'no' | 'mark' | 'again'
  /** The peer misses something: all that is not acknowledged leaves again. */
  resend: boolean
  /** When all was sent again, and when a mark was last told outside of a packet; what may be told again then is told later. */
  resentAt: number
  toldAt: number
  toldReceived: number
  /** When the oldest packet is sent again if nothing is heard, and how long after that. */
  resendAt: number
  resendMs: number
  /** A message of it failed twice: nothing is taken of the link until the partition is hosted again. */
  stopped: boolean
}

const resendFirstMs = 1000
const resendMostMs = 5000
/**
 * What was said already is said again at most so often, whoever asks: each packet of a past that was repeated would be answered otherwise, and who
 * fails again and again, or works off a long mailbox in small batches, would get more than it can hear.
 */
export const repeatMs = 100
/** A mark waits so long for a packet that goes the same way. */
export const markWaitsMs = 200

export class Links {
  private readonly partition: number
  private readonly links = new Map<number, Link>()

  /** `besides`: partitions that are hosted anew in the same step, and so send again by themselves. */
  constructor(partition: number, heads: readonly LinkHead[], besides: ReadonlySet<number> = new Set()) {
    this.partition = partition
    for (const { outbox, ...head } of heads) {
      const committed = { committedSent: head.sent, committedReceived: head.received }
      const questions = [...openQuestions({ outbox, ...head })].map(({ number }) => number)
      const state = { ...committed, questions, heard: head.acked, outbox: [...outbox], resend: outbox.length > 0 }
      // Packets came meanwhile that nobody heard, and who sent them waits for seconds before it tries again: it is asked to now.
      const tell = besides.has(head.peer) ? 'no' : 'again'
      this.links.set(head.peer, { ...fresh(head.peer), ...head, ...state, tell })
    }
  }

  // ---- receiving ----------------------------------------------------------------------------------------------------------------

  turnOf(peer: number, number: number): Turn {
    const { received, stopped } = this.of(peer)
    if (stopped) return 'gap'
    return number <= received ? 'again' : number === received + 1 ? 'next' : 'gap'
  }

  /** The message with this number was applied: its mark goes with the same commit. */
  take(peer: number, number: number, { kind }: LinkMessage, nowMs: number): void {
    const link = this.of(peer)
    if (number !== link.received + 1) violated('messages_in_order', { peer, number, received: link.received })
    link.received = number
    if (answers.has(kind)) link.answered = link.questions.shift() ?? violated('answers_follow_questions', { peer })
    this.acknowledge(link)
    link.touched = true
    link.owesSince ??= nowMs
  }

  /** A message that is not the next was dropped: the peer does not know how far this partition is. */
  dropped(peer: number, turn: Turn): void {
    const link = this.of(peer)
    if (link.stopped) return
    if (turn === 'gap') link.tell = 'again'
    else if (link.tell === 'no') link.tell = 'mark'
  }

  /**
   * The marks of a packet, behind its messages. A mark counts only once everything is applied that the peer had sent before it: so what is
   * acknowledged is answered too, and an outbox holds each question until its answer has been applied.
   */
  hear({ from, sent, ack, again }: Omit<Packet, 'messages'>, nowMs: number): void {
    const link = this.of(from)
    if (ack > link.sent) violated('acknowledges_what_was_sent', { peer: from, ack, sent: link.sent })
    if (again) link.resend = true
    if (ack > link.heard) {
      link.heard = ack
      link.resendMs = resendFirstMs
      link.resendAt = nowMs + resendFirstMs
    }
    if (ack > (link.told?.ack ?? link.acked)) link.told = { ack, sent }
    this.acknowledge(link)
  }

  private acknowledge(link: Link): void {
    const { told } = link
    if (told === undefined || link.received < told.sent) return
    link.told = undefined
    link.acked = told.ack
    link.outbox = link.outbox.filter(({ last }) => last > told.ack)
    link.touched = true
  }

  /** Takes nothing of this link any more; its messages stay with the peer until the partition is hosted anew. */
  stop(peer: number): void {
    this.of(peer).stopped = true
  }

  // ---- sending ------------------------------------------------------------------------------------------------------------------

  /** Leaves with the batch that is being decided. */
  add(peer: number, message: LinkMessage): void {
    if (peer === this.partition) violated('links_lead_elsewhere', { peer })
    this.of(peer).adding.push(message)
  }

  /** What the batch's commit must write, and what leaves when it stands. Numbers the messages that were added. */
  changes(nowMs: number): { readonly changes: readonly LinkChange[]; readonly leaving: readonly Leaving[] } {
    const changes: LinkChange[] = []
    const leaving: Leaving[] = []
    for (const link of this.links.values()) {
      let packet: StoredPacket | undefined
      if (link.adding.length > 0) {
        packet = { first: link.sent + 1, last: link.sent + link.adding.length, text: messagesText(link.adding) }
        link.sent = packet.last
        for (const [i, { kind }] of link.adding.entries())
          if (questions.has(kind)) link.questions.push(packet.first + i)
        if (link.heard === packet.first - 1) {
          link.resendMs = resendFirstMs
          link.resendAt = nowMs + resendFirstMs
        }
        link.outbox.push(packet)
        const { first, text } = packet
        const { sent, received: ack, adding: messages } = link
        leaving.push({
          to: link.peer,
          packet: { from: this.partition, first, sent, ack, again: false, messages },
          text,
        })
        link.adding = []
        link.touched = true
        // Unless what is received meanwhile is more: `committed` looks.
        link.owesSince = undefined
      }
      if (!link.touched) continue
      link.touched = false
      const { peer, sent, acked, received, answered } = link
      changes.push({ partition: this.partition, peer, sent, acked, received, answered, packet })
    }
    return { changes, leaving }
  }

  /** Their commit stands. */
  committed(changes: readonly LinkChange[]): void {
    for (const { peer, sent, received } of changes) {
      const link = this.of(peer)
      link.committedSent = sent
      link.committedReceived = received
    }
  }

  /**
   * What is to be said beside new packets, now: marks that are owed for long or asked for, everything again where the peer misses something, the
   * oldest packet again where nothing was heard for long.
   */
  due(nowMs: number): Outgoing[] {
    const out: Outgoing[] = []
    for (const link of this.links.values()) {
      const all = link.resend && nowMs >= link.resentAt + repeatMs
      if (all || nowMs >= link.resendAt) {
        const unheard = unheardOf(link)
        for (const packet of all ? unheard : unheard.slice(0, 1)) out.push(this.again(link, packet))
        if (all) {
          link.resend = false
          link.resentAt = nowMs
        }
        link.resendAt = nowMs + link.resendMs
        link.resendMs = Math.min(resendMostMs, link.resendMs * 2)
      }
      const owes = link.owesSince !== undefined && nowMs - link.owesSince >= markWaitsMs
      if (!owes && (link.tell === 'no' || nowMs < mayTellAt(link))) continue
      out.push(this.marks(link, link.tell === 'again'))
      link.tell = 'no'
      link.toldAt = nowMs
      link.toldReceived = link.committedReceived
      // What a batch under way has received is owed for longer.
      link.owesSince = link.committedReceived === link.received ? undefined : nowMs
    }
    return out
  }

  /** Milliseconds until `due` has something to say if nothing else happens; undefined: never. */
  waitMs(nowMs: number): number | undefined {
    let wait: number | undefined
    for (const link of this.links.values()) {
      const { resend, resentAt, tell, resendAt, owesSince } = link
      if (resend) wait = Math.min(wait ?? resendMostMs, Math.max(0, resentAt + repeatMs - nowMs))
      if (tell !== 'no') wait = Math.min(wait ?? resendMostMs, Math.max(0, mayTellAt(link) - nowMs))
      if (link.committedSent > link.heard) wait = Math.min(wait ?? resendMostMs, Math.max(0, resendAt - nowMs))
      if (owesSince !== undefined) wait = Math.min(wait ?? resendMostMs, Math.max(0, owesSince + markWaitsMs - nowMs))
    }
    return wait
  }

  /** The mark it carries may be newer than the packet: `sent` says what must have been applied for it to count. */
  private again(link: Link, { first, last, text }: StoredPacket): Outgoing {
    const { committedSent: sent, committedReceived: ack } = link
    const bytes = encodePacket({ from: this.partition, first, sent, ack, again: false }, text)
    return { to: link.peer, bytes, messages: last - first + 1 }
  }

  private marks(link: Link, again: boolean): Outgoing {
    const { committedSent: sent, committedReceived: ack } = link
    const bytes = encodePacket({ from: this.partition, first: sent + 1, sent, ack, again }, '[]')
    return { to: link.peer, bytes, messages: 1 }
  }

  private of(peer: number): Link {
    let link = this.links.get(peer)
    if (link === undefined) {
      link = fresh(peer)
      this.links.set(peer, link)
    }
    return link
  }
}

/** A mark that is new is told at once. */
const mayTellAt = ({ committedReceived, toldReceived, toldAt }: Link): number =>
  committedReceived === toldReceived ? toldAt + repeatMs : 0

/** What stands in the ledger and the peer may not have. */
const unheardOf = ({ outbox, heard, committedSent }: Link): StoredPacket[] =>
  outbox.filter(({ last }) => last > heard && last <= committedSent)

const questions: ReadonlySet<LinkMessage['kind']> = new Set(['settle', 'reserve'])
const answers: ReadonlySet<LinkMessage['kind']> = new Set(['settled', 'reserved', 'refused'])

/** Questions of a link that no answer was applied to. */
export function* openQuestions({
  outbox,
  answered,
}: Pick<LinkHead, 'outbox' | 'answered'>): Generator<{ readonly number: number; readonly message: LinkMessage }> {
  for (const { first, text } of outbox) {
    for (const [i, message] of messagesOf(text).entries()) {
      if (first + i > answered && questions.has(message.kind)) yield { number: first + i, message }
    }
  }
}

const fresh = (peer: number): Link => ({
  peer,
  sent: 0,
  acked: 0,
  heard: 0,
  told: undefined,
  received: 0,
  answered: 0,
  outbox: [],
  questions: [],
  adding: [],
  touched: false,
  committedSent: 0,
  committedReceived: 0,
  owesSince: undefined,
  tell: 'no',
  resend: false,
  resentAt: Number.NEGATIVE_INFINITY,
  toldAt: Number.NEGATIVE_INFINITY,
  toldReceived: 0,
  resendAt: 0,
  resendMs: resendFirstMs,
  stopped: false,
})
