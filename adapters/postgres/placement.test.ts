import assert from 'node:assert/strict'
import { test } from 'node:test'
import type pg from 'pg'
import { readPlaces } from './placement.ts'

test('a database without a ledger is said to be one', async () => {
  const query = () => Promise.reject(Object.assign(new Error('relation does not exist'), { code: '42P01' }))
  await assert.rejects(
    readPlaces({ query } as unknown as pg.Client),
    /^TerminalFault: there is no ledger in this database/,
  )
})
