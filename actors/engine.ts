// What the ways in (HTTP, CLI benchmarks, in-process users) see of the engine: commands in, answers out. Each command gets exactly one answer.
import type { Asset } from '../core/asset.ts'
import type { CatalogChange, CatalogKind } from '../core/catalog.ts'
import type { Command } from '../core/command.ts'
import type { Answer } from '../schemas/answer.ts'
import type { PutOutcome } from './catalog-keeper.ts'

export type { Answer } from '../schemas/answer.ts'
export type { PutOutcome } from './catalog-keeper.ts'

export interface EngineCatalog {
  /**
   * Makes a change durable and brings it to every partition; resolves when all have committed it, or after the deadline with those that have not
   * (`pending`): they get it as soon as they can be reached. `check` is called with what stands just before the change is numbered; what it
   * throws refuses the change.
   */
  put(
    kind: CatalogKind,
    code: string,
    body: string,
    check: (standing: CatalogChange | undefined) => void,
  ): Promise<PutOutcome>
  find(kind: CatalogKind, code: string): CatalogChange | undefined
  /** By code. */
  list(kind: CatalogKind): readonly CatalogChange[]
}

export interface EngineLater {
  /**
   * As `Engine.submit`, but `reply` is called with 202 as soon as the mailbox holds the command: queued, not applied. With its decision if that
   * was sooner.
   */
  submit(command: Command, reply: (answer: Answer) => void): void
  /** What is told of a queued one until it is decided; undefined: it does not wait here. */
  find(owner: string, id: string): Answer | undefined
  /** Resolves when it is decided, at once if it does not wait here, and after `ms` whatever happens. */
  decided(owner: string, id: string, ms: number): Promise<void>
}

export interface Engine {
  /**
   * Sends a command to the mailbox of its owner's partition. `reply` is called exactly once and never inside this call: after the commit, or with
   * `overloaded` (nothing accepted), `shard_unavailable` or, at the deadline, `outcome_unknown`.
   * Commands of one owner are decided in the order of these calls. Never throws for what a command says. With `waits` the command is kept in
   * order until the mailbox has room instead of being answered `overloaded`; whoever sends so bounds how many are on the way.
   */
  submit(command: Command, reply: (answer: Answer) => void, waits?: boolean): void
  /** `submit` for many; the answers come in the order of the commands, when all are there. Waits for room instead of answering `overloaded`. */
  postAll(commands: readonly Command[]): Promise<Answer[]>
  /** Every asset known now, by code. */
  assets(): ReadonlyMap<string, Asset>
  /** What every partition sees in order. */
  readonly catalog: EngineCatalog
  /** Commands accepted for later; undefined where the mailbox ends with the process. */
  readonly later: EngineLater | undefined
  /** Why commands of some partitions do not get into their mailbox; undefined: they do. */
  mailboxTrouble(): string | undefined
  /** May take traffic: every partition is hosted. */
  ready(): boolean
  /** Stops intake, drains, commits, releases the hosting lock. Bounded in time. */
  close(): Promise<void>
}
