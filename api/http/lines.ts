// Cuts a stream of bytes into lines of bounded length, as parsed JSON; where a line is bad its problem stands in its place, blank lines
// are left out. A line that is too long is skipped without being kept in memory.
import { isUtf8 } from 'node:buffer'
import { brokenUtf8, emptyBody, parseJsonText, singleBytesMax } from './body-parsers.ts'
import { Problem } from './problem.ts'

const newline = 0x0a
const carriageReturn = 0x0d

const tooLong = new Problem('payload_too_large', `A line must be at most ${singleBytesMax} bytes.`)

export class LineCutter {
  /** The beginning of a line whose end has not come. */
  private readonly held: Buffer[] = []
  private heldBytes = 0
  /** The present line is too long: drop up to its end. */
  private dropping = false

  /** The values of the lines that end in `chunk`, in order. */
  cut(chunk: Buffer): unknown[] {
    const values: unknown[] = []
    let from = 0
    const first = chunk.indexOf(newline)
    if (first === -1) {
      this.hold(chunk)
      return values
    }
    if (this.heldBytes > 0 || this.dropping) {
      this.hold(chunk.subarray(0, first))
      from = first + 1
      this.endLine(values)
    }
    const last = chunk.lastIndexOf(newline)
    if (from <= last) whole(chunk.subarray(from, last), values)
    if (last + 1 < chunk.length) this.hold(chunk.subarray(last + 1))
    return values
  }

  /** After the last chunk: what stood behind the last newline is a line, too. */
  end(): unknown[] {
    const values: unknown[] = []
    this.endLine(values)
    return values
  }

  private hold(bytes: Buffer): void {
    if (this.dropping || bytes.length === 0) return
    this.heldBytes += bytes.length
    // One more, which may be the carriage return before the newline.
    if (this.heldBytes <= singleBytesMax + 1) {
      this.held.push(bytes)
      return
    }
    this.dropping = true
    this.held.length = 0
  }

  private endLine(values: unknown[]): void {
    if (this.dropping) values.push(tooLong)
    else if (this.heldBytes > 0) line(Buffer.concat(this.held), values)
    this.held.length = 0
    this.heldBytes = 0
    this.dropping = false
  }
}

/** Lines that stand whole in one chunk: one check and one decoding for all of them, if all are well. */
function whole(bytes: Buffer, values: unknown[]): void {
  if (bytes.length <= singleBytesMax && isUtf8(bytes)) {
    for (const text of bytes.toString('utf8').split('\n')) textLine(text, values)
    return
  }
  let from = 0
  while (from <= bytes.length) {
    const at = bytes.indexOf(newline, from)
    const to = at === -1 ? bytes.length : at
    line(bytes.subarray(from, to), values)
    from = to + 1
  }
}

function line(bytes: Buffer, values: unknown[]): void {
  const length = bytes.length - (bytes.at(-1) === carriageReturn ? 1 : 0)
  if (length > singleBytesMax) values.push(tooLong)
  else if (isUtf8(bytes)) textLine(bytes.toString('utf8'), values)
  else values.push(brokenUtf8)
}

function textLine(text: string, values: unknown[]): void {
  if (text === '' || text === '\r') return
  const value = parseJsonText(text)
  if (value !== emptyBody) values.push(value)
}
