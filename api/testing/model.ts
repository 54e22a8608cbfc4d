// What the engine must answer: the rules on one state with everything in memory, one command after the other. Partitions, batches, threads
// and segments must not show in any answer.
import assert from 'node:assert/strict'
import { apply } from '../../core/apply.ts'
import { builtInAssets } from '../../core/asset.ts'
import { calendarOf } from '../../core/business-date.ts'
import type { Command } from '../../core/command.ts'
import { commandTime, decide, dueExpiries } from '../../core/decide.ts'
import { emptyPartition } from '../../core/empty-partition.ts'
import { idKeyOf } from '../../core/identity.ts'
import { formatMinor } from '../../core/money.ts'
import { ownerOfCommand } from '../../core/owner.ts'
import type { PartitionState, Received } from '../../core/partition.ts'
import { type Answer, answerTo } from '../../schemas/answer.ts'
import type { RunningEngine } from '../compose.ts'

export class Model {
  private readonly state: PartitionState = emptyPartition(0, {
    assets: new Map(builtInAssets.map((asset) => [asset.code, asset])),
    dateOf: calendarOf('UTC'),
    houseAutoOpen: true,
    partitionOf: () => 0,
  })

  post(command: Command): Answer {
    const owner = ownerOfCommand(command)
    const now = Date.now()
    const refers = 'hold' in command ? command.hold : 'of' in command ? command.of : undefined
    const received: Received = {
      command,
      idKey: idKeyOf(owner, command.id),
      refKey: refers === undefined ? undefined : idKeyOf(owner, refers),
      stampedAt: now,
    }
    const at = commandTime(this.state, now, now)
    for (const expiry of dueExpiries(this.state, received, at)) apply(this.state, expiry)
    const decision = decide(this.state, received, at)
    if (decision.kind === 'decided') apply(this.state, decision.decided)
    return answerTo(decision, command, at)
  }

  /** Posts to both and compares answer by answer. Those that the engine asked again of itself are answered as replayed. */
  async postAll(engine: RunningEngine, commands: readonly Command[]): Promise<Answer[]> {
    const answers = await engine.postAll(commands)
    for (const [i, command] of commands.entries()) this.check(command, answers[i])
    return answers
  }

  check(command: Command, answer: Answer | undefined): void {
    const expected = this.post(command)
    const shown = JSON.stringify(command)
    assert.ok(answer !== undefined, `no answer to ${shown}`)
    assert.deepEqual(timeless(answer.body), timeless(expected.body), shown)
    assert.equal(answer.http, answer.replayed && expected.http === 201 ? 200 : expected.http, shown)
  }

  /** Every account reads as it stands here: house accounts as the sum of their cells. */
  async checkAccounts(engine: RunningEngine): Promise<void> {
    for (const account of this.state.accounts.values()) {
      const { scale, code } = account.asset
      const view = await engine.reads.account(account.id, code)
      assert.deepEqual(
        { id: view?.id, balance: view?.balance, held: view?.held, seq: view?.seq },
        {
          id: account.id,
          balance: formatMinor(account.normal === 'credit' ? account.balance : -account.balance, scale),
          held: formatMinor(account.held, scale),
          seq: account.seq,
        },
      )
    }
  }
}

function timeless(body: string): unknown {
  const { at: _at, businessDate: _date, asOf: _asOf, ...rest } = JSON.parse(body) as Record<string, unknown>
  return rest
}
