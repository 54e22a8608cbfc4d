// The statement of an owner's points by lot, from accounts as they were read.
import type { AccountView, PointsView } from '../../actors/reads.ts'
import type { Asset } from '../../core/asset.ts'
import { dateText } from '../../core/business-date.ts'
import { lotNameOf } from '../../core/lots.ts'
import { formatMinor, parseAmount } from '../../core/money.ts'
import { timeText } from '../../schemas/answer.ts'

export function pointsView(
  owner: string,
  accounts: readonly AccountView[],
  assets: ReadonlyMap<string, Asset>,
  dateOf: (atMs: number) => number,
  nowMs: number,
): PointsView {
  const programs = new Map<string, { readonly account: AccountView; readonly lastDay: number }[]>()
  for (const account of accounts) {
    const name = lotNameOf(account.id)
    if (name?.kind !== 'points') continue
    const lots = programs.get(account.asset)
    if (lots === undefined) programs.set(account.asset, [{ account, lastDay: name.lastDay }])
    else lots.push({ account, lastDay: name.lastDay })
  }
  return {
    owner,
    programs: [...programs]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([program, lots]) => {
        let usable = 0n
        const scale = assets.get(program)?.scale ?? 0
        const shown = lots
          .toSorted((a, b) => a.lastDay - b.lastDay)
          .map(({ account, lastDay }) => {
            const expired = lastDay < dateOf(nowMs)
            const minor = account.available.startsWith('-') ? 0n : parseAmount(account.available, scale)
            if (!expired && account.status === 'open' && typeof minor === 'bigint') usable += minor
            return {
              account: account.id,
              expiresOn: dateText(lastDay),
              balance: account.balance,
              available: account.available,
              expired,
            }
          })
        return { program, available: formatMinor(usable, scale), lots: shown }
      }),
    asOf: timeText(nowMs),
  }
}
