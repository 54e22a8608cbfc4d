// Lines set aside in an anonymous temporary file, so that a file of any size, and standard input too, can be checked whole before anything is
// sent and is then sent exactly as checked. The file has no name from the start (where the system allows it) and is gone with the process.
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const bufferBytes = 256 * 1024

/** The folder for temporary files is missing, full or closed to us. */
export class SpoolError extends Error {}

function unusable(error: Error): never {
  throw new SpoolError(`no temporary file can be kept in ${tmpdir()} (TMPDIR): ${error.message}`, { cause: error })
}

export class Spool {
  private readonly file: FileHandle
  private readonly path: string
  private buffered = ''
  private bytes = 0
  /** Lines appended so far. */
  count = 0

  private constructor(file: FileHandle, path: string) {
    this.file = file
    this.path = path
  }

  /** In the system's folder for temporary files (TMPDIR), readable by this user only. */
  static async create(): Promise<Spool> {
    const path = await mkdtemp(join(tmpdir(), 'suanpan-')).catch(unusable)
    const file = await open(join(path, 'spool'), 'wx+', 0o600)
    // Windows cannot remove an open file; there `close` does it.
    await rm(path, { recursive: true, force: true }).catch(() => {})
    return new Spool(file, path)
  }

  /** A promise only when there is something to wait for. `line` must not contain a line break. */
  append(line: string): Promise<void> | undefined {
    this.count++
    this.buffered += `${line}\n`
    return this.buffered.length >= bufferBytes ? this.flush() : undefined
  }

  private async flush(): Promise<void> {
    const chunk = Buffer.from(this.buffered)
    this.buffered = ''
    const at = this.bytes
    this.bytes += chunk.length
    for (let written = 0; written < chunk.length; )
      written += (await this.file.write(chunk, written, chunk.length - written, at + written).catch(unusable))
        .bytesWritten
  }

  /** All lines in order. Nothing may be appended while they are read. */
  async *lines(): AsyncGenerator<string, void, undefined> {
    await this.flush()
    const buffer = Buffer.allocUnsafe(bufferBytes)
    const decoder = new TextDecoder()
    let rest = ''
    for (let at = 0; at < this.bytes; ) {
      const { bytesRead } = await this.file.read(buffer, 0, bufferBytes, at)
      if (bytesRead === 0) throw new Error('the temporary file was cut')
      at += bytesRead
      const text = rest + decoder.decode(buffer.subarray(0, bytesRead), { stream: true })
      let start = 0
      for (let stop = text.indexOf('\n'); stop !== -1; stop = text.indexOf('\n', start)) {
        yield text.slice(start, stop)
        start = stop + 1
      }
      rest = text.slice(start)
    }
  }

  async close(): Promise<void> {
    await this.file.close()
    await rm(this.path, { recursive: true, force: true })
  }
}
