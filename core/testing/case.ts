// One row of a table of decisions.
import type { Command } from '../command.ts'
import type { Facts } from '../transaction.ts'
import type { TestLedger } from './ledger.ts'

export interface Case {
  readonly name: string
  readonly given: (ledger: TestLedger) => unknown
  readonly when: Command
  /** `accepted`, a refusal, or another kind of decision as `outcomeOf` writes it. */
  readonly then: string
  readonly facts?: Facts
  /** Kinds of the rows, in order. */
  readonly rows?: string
  /** `balance held seq` by account name. */
  readonly after?: Readonly<Record<string, string>>
  readonly houseAutoOpen?: boolean
}

/** A table, one line a rule: name, given, when, then, and what else is to hold. */
export type Line = readonly [
  name: string,
  given: (ledger: TestLedger) => unknown,
  when: Command,
  then: string,
  more?: Omit<Case, 'name' | 'given' | 'when' | 'then'>,
]

export const cases = (title: string, lines: readonly Line[]): readonly Case[] =>
  lines.map(([name, given, when, then, more]) => ({ ...more, name: `${title}: ${name}`, given, when, then }))
