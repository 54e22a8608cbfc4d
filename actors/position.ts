// How far a partition has consumed its mailbox. Committed with the rows that came of it, so that a crash never applies a command twice.

/**
 * A mailbox that lost its history opens the next generation. Inside one, a frame is named by two integers (a Redis stream id is a pair; a
 * dense count, as both mailboxes have, uses `high` alone). `index` = commands of that frame that are consumed; a frame consumed whole keeps its full count.
 */
export interface Position {
  readonly generation: number
  readonly high: number
  readonly low: number
  readonly index: number
}

/** Negative: a before b. */
export const comparePositions = (a: Position, b: Position): number =>
  a.generation - b.generation || a.high - b.high || a.low - b.low || a.index - b.index

/** Stored form of a position that must be recognised again: `generation:high-low+index`. */
export const positionText = (p: Position): string => `${p.generation}:${p.high}-${p.low}+${p.index}`

/** Undefined if it is not the text of a position. */
export function positionFrom(text: string): Position | undefined {
  const match = /^(\d+):(\d+)-(\d+)\+(\d+)$/.exec(text)
  if (match === null) return undefined
  const [generation = 0, high = 0, low = 0, index = 0] = match.slice(1).map(Number)
  return { generation, high, low, index }
}
