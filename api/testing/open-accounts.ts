// What every test under a mixed load begins with: its accounts, each with its first funds, which the oracle knows of.
import assert from 'node:assert/strict'
import type { HttpPosts } from './http-posts.ts'
import { type MixedLoad, sent } from './mixed-load.ts'
import type { Oracle } from './oracle.ts'

export async function openAccounts(posts: HttpPosts, load: MixedLoad, oracle: Oracle): Promise<void> {
  for (const id of load.accounts) {
    const opened = await posts.post('/v1/accounts', JSON.stringify({ id, asset: 'CNY' }))
    assert.equal(opened?.status, 201)
    const [owner = ''] = id.split(':')
    const first = sent(owner, { id: `${id}-first`, type: 'credit', account: id, amount: '500' })
    oracle.sending(first)
    oracle.answered(first, await posts.post('/v1/transactions', first.json))
  }
}
