// A batch as a stream of lines, both ways at once: a line is read, checked and sent to the engine while earlier ones are still being
// decided; answers go out in the order of the lines. Memory is bounded by the window whatever the length of the stream.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer, Engine } from '../../actors/engine.ts'
import { answerOfProblem, itemText } from './batch-item.ts'
import { Chunks } from './chunks.ts'
import type { Intake } from './intake.ts'
import { LineCutter } from './lines.ts'
import { OrderedLines } from './ordered-lines.ts'
import { Problem } from './problem.ts'

export interface StreamPorts {
  readonly engine: Engine
  readonly intake: Intake
  /** Lines between being read and being answered, at most. */
  readonly window: number
  readonly onItem: (http: number) => void
}

/** A client that does not close after a stream that we ended is cut off after this. */
const lingerMs = 1_000

/** Resolves when the stream is over: after `{"done":true,..}`, because the server closes (`"done":false`), or because the client has gone. */
export async function answerStream(
  request: IncomingMessage,
  response: ServerResponse,
  ports: StreamPorts,
): Promise<void> {
  const lines = new OrderedLines(response, ports.window)
  const cutter = new LineCutter()
  const chunks = new Chunks(request)
  const leave = ports.intake.onClosing(chunks.stop)
  for (;;) {
    const chunk = await chunks.next()
    if (chunk === undefined) break
    await post(cutter.cut(chunk), lines, ports)
    if (lines.isGone) break
  }
  leave()
  const whole = chunks.isWhole
  if (whole) await post(cutter.end(), lines, ports)
  await lines.idle()
  if (lines.isGone) return
  response.end(`{"done":${whole},"count":${lines.count}}\n`)
  if (!whole) cutOff(request)
}

async function post(values: readonly unknown[], lines: OrderedLines, ports: StreamPorts): Promise<void> {
  const { engine, intake, onItem } = ports
  for (const value of values) {
    if (!lines.hasRoom) await lines.room()
    if (lines.isGone) return
    const index = lines.open()
    const command = intake.take(value, undefined)
    if (command instanceof Problem) {
      onItem(command.http)
      lines.settle(index, itemText(index, answerOfProblem(command)))
      continue
    }
    const settle = (answer: Answer): void => {
      onItem(answer.http)
      lines.settle(index, itemText(index, answer))
    }
    engine.submit(command, settle, true)
  }
}

/** Ends our side and reads what still comes into nothing: closing on unread bytes would reset the connection under our last lines. */
function cutOff(request: IncomingMessage): void {
  const { socket } = request
  request.removeAllListeners('readable')
  request.resume()
  socket.end()
  setTimeout(() => socket.destroy(), lingerMs).unref()
}
