// What a rival has to do: the same work that Suanpan does for a debit, by the means that teams use today. Once by id, no overdraft, a journal row with the
// number and the balance after it, and an answer only when that is durable. They are spared some of it: a refusal is not recorded, and the other side
// of the transfer is only named, because updating one settlement account in every transaction would make each of them a hot account.

export interface Debit {
  readonly id: string
  readonly account: string
  readonly amountMinor: number
}

export type Outcome =
  | { readonly kind: 'posted' | 'replayed'; readonly balance: bigint; readonly seq: number }
  | { readonly kind: 'insufficient_funds' | 'account_not_found' | 'id_conflict' }

export interface Peer {
  /** Rejects only if the effect is unknown. */
  debit(debit: Debit): Promise<Outcome>
  close(): Promise<void>
}

export interface PeerOptions {
  readonly url: string
  readonly redisUrl?: string | undefined
  /** Connections to Postgres; undefined: the rival's own default. */
  readonly pool?: number | undefined
}

export type PeerMaker = (options: PeerOptions) => Promise<Peer>
