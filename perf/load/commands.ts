// The commands that the engine scenarios post, made before the clock starts. Every load has a name, which makes its ids its own.
import type { Command, OpenAccount } from '../../core/command.ts'
import type { Picker } from '../zipf.ts'

export const accountId = (n: number): string => `cust-${n}:cash`

/** Enough to be debited for ever. */
export const opening = (n: number, name = 'open'): OpenAccount => ({
  type: 'open',
  id: `!${name}-${n}`,
  account: accountId(n),
  asset: 'CNY',
  overdraft: '1000000000',
  normal: 'credit',
})

export type LoadMaker = (name: string, count: number) => Command[]

export const debits =
  (pick: Picker, houses = 1): LoadMaker =>
  (name, count) =>
    Array.from({ length: count }, (_, i) => ({
      type: 'debit',
      id: `${name}-${i}`,
      account: accountId(pick()),
      amount: '0.01',
      to: houses === 1 ? 'house:settlement:default' : `house:settlement:ch-${i % houses}`,
    }))

/** Every other command captures the hold before it: two transactions that belong together. */
export const holdsAndCaptures =
  (pick: Picker): LoadMaker =>
  (name, count) =>
    Array.from({ length: count >> 1 }, (_, i): Command[] => {
      const account = accountId(pick())
      const hold = `${name}-${i}`
      return [
        { type: 'hold', id: hold, account, amount: '0.01', to: 'house:settlement:default' },
        { type: 'capture', id: `${hold}-c`, account, hold, final: true },
      ]
    }).flat()

/** What a payment with a fee and a tax is: three transfers that stand or fall together. */
export const postings =
  (pick: Picker): LoadMaker =>
  (name, count) =>
    Array.from({ length: count }, (_, i) => {
      const from = accountId(pick())
      return {
        type: 'postings',
        id: `${name}-${i}`,
        transfers: [
          { from, to: 'house:settlement:default', amount: '0.01' },
          { from, to: 'house:income:fee', amount: '0.01' },
          { from, to: 'house:tax', amount: '0.01' },
        ],
      }
    })
