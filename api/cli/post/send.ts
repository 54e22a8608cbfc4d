// Sends rows that were set aside and counts the answers; on request sends what an earlier run saw declined again under new ids. Prints nothing.
import type { BatchAnswer, Client, ClientError } from '../../client/client.ts'
import { Spool } from './spool.ts'
import type { Tally } from './tally.ts'

export interface Row {
  /** Of the file. */
  readonly line: number
  readonly json: string
}

export interface Sending {
  readonly client: Client
  readonly tally: Tally
  /** Behind the id of a row that is sent again; undefined: none is. */
  readonly suffix: string | undefined
  readonly onAnswer: () => void
  readonly onRetry: (cause: ClientError, waitMs: number) => void
}

/** One round of rows sent again under new ids. */
export interface Again {
  readonly suffixes: string
  readonly rows: number
  readonly posted: number
  /** Posted by an earlier run's round. */
  readonly replayed: number
}

const idCharsMax = 128

export const appendRow = (spool: Spool, { line, json }: Row): Promise<void> | undefined =>
  spool.append(`${line}\t${json}`)

export async function* rowsOf(spool: Spool): AsyncGenerator<Row, void, undefined> {
  for await (const text of spool.lines()) {
    const tab = text.indexOf('\t')
    yield { line: Number(text.slice(0, tab)), json: text.slice(tab + 1) }
  }
}

/**
 * Sends every row, then the declined ones with the suffix, then those of them that were declined too with the suffix twice, and so on, until a row is
 * posted or freshly declined. One suffix for ever thus tries every row's whole chain of ids in order, and what is posted is never sent under another.
 * `onAgain` is told of each round. Throws what the client throws; the tally stands.
 */
export async function sendAll(rows: Spool, sending: Sending, onAgain: (round: Again) => void): Promise<void> {
  const { suffix, tally } = sending
  let declined = await sendOnce(rowsOf(rows), sending)
  for (let suffixes = suffix ?? ''; declined !== undefined; suffixes += suffix) {
    const { posted, replayed } = tally
    const again: Spool = declined
    declined = await sendOnce(renamed(again, suffix ?? ''), sending).finally(() => again.close())
    onAgain({
      suffixes,
      rows: again.count,
      posted: tally.posted - posted,
      replayed: tally.replayed - replayed,
    })
  }
}

/** The result holds the rows to be sent again, which are not counted yet; undefined: none. */
async function sendOnce(rows: AsyncIterable<Row>, sending: Sending): Promise<Spool | undefined> {
  const { client, tally, suffix, onAnswer, onRetry } = sending
  let declined: Spool | undefined
  try {
    for await (const answer of client.batchJson(rows, { onRetry })) {
      if (suffix !== undefined && mayGoAgain(answer, suffix)) {
        declined ??= await Spool.create()
        await appendRow(declined, answer.row)
      } else {
        tally.add(answer, answer.row.line)
        onAnswer()
      }
    }
  } catch (error) {
    await declined?.close()
    throw error
  }
  return declined
}

/** Declined by an earlier run, not by this one: what has just been declined would be declined again. */
function mayGoAgain({ outcome, resent, row }: BatchAnswer<Row>, suffix: string): boolean {
  if (outcome.status !== 'declined' || !outcome.replayed || resent) return false
  return (JSON.parse(row.json) as { id: string }).id.length + suffix.length <= idCharsMax
}

async function* renamed(rows: Spool, suffix: string): AsyncGenerator<Row, void, undefined> {
  for await (const { line, json } of rowsOf(rows)) {
    const body = JSON.parse(json) as { id: string }
    yield { line, json: JSON.stringify({ ...body, id: body.id + suffix }) }
  }
}
