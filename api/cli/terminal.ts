// How results look: aligned columns, grouped counts, colours only for people.
import { styleText } from 'node:util'
import type { Io } from './command.ts'

type Stream = Io['stdout']
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow'

/** Colours `text` if the stream is a terminal and the user has not said NO_COLOR (https://no-color.org). */
export const paint = (stream: Stream, env: NodeJS.ProcessEnv, style: Style, text: string): string =>
  stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
    ? styleText(style, text, { validateStream: false })
    : text

const grouped = new Intl.NumberFormat('en-US')
export const count = (value: number): string => grouped.format(value)
/** `1 row`, `2 rows`. */
export const counted = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`

/** Rows as text lines; columns named in `right` are aligned to the right. The last column is not padded. */
export function table(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, at) => (right.has(at) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** `12, 45, 99, ..` */
export const someLines = (lines: readonly number[], total: number): string =>
  `${total === 1 ? 'line' : 'lines'} ${lines.map(count).join(' ')}${total > lines.length ? ' ..' : ''}`
