// Counts what became of the rows and says it: by outcome and code, each with the first few lines.
import type { BatchAnswer } from '../../client/client.ts'
import type { Io } from '../command.ts'
import { count, counted, paint, type Style, someLines, table } from '../terminal.ts'

const linesMax = 5

interface Group {
  count: number
  /** Of them: declined in an earlier run. */
  earlier: number
  /** Of the first few. */
  readonly lines: number[]
}

/** Outcomes that leave a row out of the ledger, in the order in which they are said. */
const notPosted = {
  declined: 'declined for good: a new try needs a new id (--retry-declined)',
  conflict: 'the id stands in the ledger with another body',
  refused: 'malformed or not supported by the server; the id is still free',
  failed: 'no outcome: run the same again',
} as const

export class Tally {
  posted = 0
  /** Posted in an earlier run, or by a row above with the same id and content. */
  replayed = 0
  private readonly groups = new Map<string, Group>()

  add({ outcome, resent }: BatchAnswer<unknown>, line: number): void {
    if (outcome.status === 'posted' || outcome.status === 'pending') {
      // A row that this run sent twice may have been posted by the first sending, whose answer was lost.
      if (outcome.replayed && !resent) this.replayed++
      else this.posted++
      return
    }
    const key = `${outcome.status} ${outcome.problem.code}`
    const group = this.groups.get(key) ?? { count: 0, earlier: 0, lines: [] }
    this.groups.set(key, group)
    group.count++
    if (outcome.status === 'declined' && outcome.replayed && !resent) group.earlier++
    if (group.lines.length < linesMax) group.lines.push(line)
  }

  /** Rows with an answer. */
  get answered(): number {
    return this.posted + this.replayed + this.left
  }

  /** Rows that are not in the ledger. */
  get left(): number {
    let sum = 0
    for (const group of this.groups.values()) sum += group.count
    return sum
  }

  lines(io: Io): string[] {
    const paints: Style[] = []
    const rows: string[][] = []
    const add = (style: Style, ...cells: string[]) => {
      paints.push(style)
      rows.push(cells)
    }
    add(this.posted > 0 ? 'green' : 'dim', 'posted', count(this.posted), '')
    add('dim', 'replayed', count(this.replayed), this.replayed > 0 ? 'posted by an earlier run or row, not again' : '')
    for (const [status, meaning] of Object.entries(notPosted)) {
      const groups = [...this.groups].filter(([key]) => key.startsWith(`${status} `))
      const sum = groups.reduce((total, [, group]) => total + group.count, 0)
      if (sum === 0) continue
      add('red', status, count(sum), meaning)
      for (const [key, group] of groups.sort(([, a], [, b]) => b.count - a.count)) {
        const earlier = group.earlier > 0 ? `, ${count(group.earlier)} of them in an earlier run` : ''
        add(
          'yellow',
          `  ${key.slice(status.length + 1)}`,
          count(group.count),
          someLines(group.lines, group.count) + earlier,
        )
      }
    }
    return table(rows, new Set([1])).map((line, at) => paint(io.stdout, io.env, paints[at] ?? 'dim', `  ${line}`))
  }
}

/** Collects rows that do not map: how many, and the first few in words. */
export class BadRows {
  count = 0
  private readonly shown: string[] = []

  add(line: number, field: string | undefined, detail: string): void {
    if (this.count++ < 10) this.shown.push(`  line ${line}: ${field === undefined ? '' : `${field}: `}${detail}`)
  }

  get text(): string {
    const more = this.count > this.shown.length ? `\n  and ${counted(this.count - this.shown.length, 'row')} more` : ''
    return this.shown.join('\n') + more
  }
}
