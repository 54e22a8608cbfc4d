import assert from 'node:assert/strict'
import { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { startProgress } from './progress.ts'

const terminal = () => {
  let text = ''
  const write = (chunk: Buffer, _encoding: string, done: () => void) => {
    text += chunk
    done()
  }
  const stream = Object.assign(new Writable({ write }), { isTTY: true })
  return { io: { stdin: Readable.from([]), stdout: stream, stderr: stream, env: {} }, text: () => text }
}
const wrapOff = '\u001b[?7l'
const wrapOn = '\u001b[?7h'

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`${signal} while there is a bar: the terminal wraps lines again, and the process ends by the signal`, async (t) => {
    const kill = t.mock.method(process, 'kill', () => true)
    const before = process.listenerCount(signal)
    const { io, text } = terminal()
    const progress = await startProgress(io, 'posting', 10, 'rows')
    assert.ok(text().includes(wrapOff))
    process.listeners(signal).at(-1)?.(signal)
    assert.ok(text().lastIndexOf(wrapOn) > text().lastIndexOf(wrapOff))
    assert.deepEqual(kill.mock.calls[0]?.arguments, [process.pid, signal])
    progress.stop()
    assert.equal(process.listenerCount(signal), before)
  })

test('a sentence between the bars stays: what is cleared at the end is the line below it', async () => {
  const { io, text } = terminal()
  const progress = await startProgress(io, 'posting', 10, 'rows')
  progress.note('The connection was lost')
  progress.stop()
  assert.ok(text().includes('The connection was lost\n\u001b7'))
})
