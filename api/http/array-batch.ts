// A batch that is held whole in memory, as JSON or MessagePack. Its items are parsed and sent a slice at a time, and each answer is rendered
// when it comes: so the engine works on the first items while the last are still being parsed, and the event loop is never held for all of it.
import { setImmediate as turn } from 'node:timers/promises'
import type { Answer, Engine } from '../../actors/engine.ts'
import { answerOfProblem } from './batch-item.ts'
import type { Intake } from './intake.ts'
import { Problem } from './problem.ts'

/** Items that were cut apart and not yet looked into. */
export interface Items {
  readonly count: number
  /** The value of an item; a bad one is a `Problem`. Costs a parse each time. */
  at(index: number): unknown
}

export interface ArrayPorts {
  readonly engine: Engine
  readonly intake: Intake
  readonly onItem: (http: number) => void
}

/** Items parsed in one turn of the event loop: 2 to 4 ms of it. */
const sliceItems = 512

/** Sends the items in their order; resolves with the rendered answers, in the same order. */
export async function postItems<Rendered>(
  items: Items,
  { engine, intake, onItem }: ArrayPorts,
  render: (index: number, answer: Answer) => Rendered,
): Promise<Rendered[]> {
  const { count } = items
  const rendered = new Array<Rendered>(count)
  let open = count
  let whenSettled: () => void = () => undefined
  const settle = (index: number, answer: Answer): void => {
    onItem(answer.http)
    rendered[index] = render(index, answer)
    open--
    if (open === 0) whenSettled()
  }
  for (let index = 0; index < count; index++) {
    if (index > 0 && index % sliceItems === 0) await turn()
    const command = intake.take(items.at(index), undefined)
    if (command instanceof Problem) settle(index, answerOfProblem(command))
    else engine.submit(command, (answer) => settle(index, answer), true)
  }
  if (open > 0) {
    await new Promise<void>((resolve) => {
      whenSettled = resolve
    })
  }
  return rendered
}
