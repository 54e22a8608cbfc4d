// What the journal rows do not say of a decision, as JSON text for the `detail` table: the body as given and the facts of its outcome.
// A plain debit, credit or transfer has no detail: its body is read back from its row.
import { transitId } from '../core/across/joint.ts'
import type { Command, TransactionCommand } from '../core/command.ts'
import { formatMinor, normalizeDecimal } from '../core/money.ts'
import type { Row } from '../core/row.ts'
import type { Decided, Facts } from '../core/transaction.ts'

interface Detail {
  /** The command without its id. */
  readonly given: Omit<Command, 'id'>
  readonly facts?: Facts
}

/** JSON text to be stored beside the rows, or undefined where `commandOf` finds everything in the rows. */
export function detailOf(decided: Decided): string | undefined {
  if (isPlain(decided)) return undefined
  const { id: _id, ...given } = decided.command
  return JSON.stringify({ given, facts: decided.facts } satisfies {
    given: Omit<Command, 'id'>
    facts: Facts | undefined
  })
}

/** The first body again, from what is stored. `rows` in leg order; `detail` undefined: a plain one, or erased. */
export function givenOf(
  id: string,
  rows: readonly [Row, ...Row[]],
  channel: string | undefined,
  detail: string | undefined,
): { readonly command: Command; readonly facts: Facts | undefined } {
  if (detail !== undefined) {
    const { given, facts } = JSON.parse(detail) as Detail
    return { command: { ...given, id } as Command, facts }
  }
  return { command: plainCommand(id, rows[0], channel), facts: undefined }
}

/** What a party keeps beside its rows of a transaction that another partition coordinates: what its statements show. */
export const partyDetailOf = ({ type, reference }: TransactionCommand): string | undefined =>
  reference === undefined ? undefined : JSON.stringify({ given: { type, reference } })

function isPlain(decided: Decided): boolean {
  const { command } = decided
  switch (command.type) {
    case 'expire':
      // Its row names the account, unless it was given up.
      return decided.rows[0].code === 0
    case 'debit':
    case 'credit':
    case 'transfer':
      return (
        decided.rows.length === 1 &&
        decided.rows[0].code === 0 &&
        command.asset === undefined &&
        command.businessDate === undefined &&
        command.reference === undefined &&
        command.metadata === undefined
      )
    default:
      return false
  }
}

function plainCommand(id: string, row: Row, channel: string | undefined): Command {
  const from = (row.from?.id === transitId ? row.far : row.from?.id) ?? ''
  const to = (row.to?.id === transitId ? row.far : row.to?.id) ?? ''
  if (row.kind === 'expire') return { type: 'expire', id, account: from }
  const amount = row.from === undefined ? '0' : normalizeDecimal(formatMinor(row.amount, row.from.asset.scale))
  switch (row.kind) {
    case 'debit':
      return { type: 'debit', id, account: from, amount, to, channel }
    case 'credit':
      return { type: 'credit', id, account: to, amount, from, channel }
    case 'transfer':
      return { type: 'transfer', id, from, to, amount, channel }
    default:
      // Its detail was erased: the id still stands, the body is no longer known.
      return { type: row.kind === 'tombstone' ? 'release' : row.kind, id } as Command
  }
}

/** The channel of a transaction; account commands have none. */
export const channelOf = (command: Command): string | undefined => (command as Partial<TransactionCommand>).channel
