// What a URL becomes before it reaches pg, and before it reaches people.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shownUrl, urlOptions } from './connect.ts'

const shown = [
  ['postgres://u:secret@db/ledger', 'postgres://u:***@db/ledger'],
  ['postgresql://u:se@cret@db:5432/ledger?sslmode=require', 'postgresql://u:***@db:5432/ledger?sslmode=require'],
  ['postgres://u:sec%40ret@db/ledger', 'postgres://u:***@db/ledger'],
  [
    'postgresql:///ledger?host=/tmp&user=u&password=secret&port=1',
    'postgresql:///ledger?host=/tmp&user=u&password=***&port=1',
  ],
  ['postgresql://db/ledger?sslpassword=secret', 'postgresql://db/ledger?sslpassword=***'],
  ['postgresql:///ledger?host=/tmp', 'postgresql:///ledger?host=/tmp'],
] as const
for (const [url, expected] of shown)
  test(`connect: ${expected} is what people see`, () => assert.equal(shownUrl(url), expected))

const urls = [
  ['postgres://db/l', {}, 'postgres://db/l'],
  ['postgres://db/l?sslmode=disable', { PGSSLROOTCERT: '/ca' }, 'postgres://db/l?sslmode=disable'],
  ['postgres://db/l?sslmode=require', {}, 'postgres://db/l?sslmode=require&uselibpqcompat=true'],
  [
    'postgres://db/l?sslmode=verify-full',
    { PGSSLROOTCERT: '/ca' },
    'postgres://db/l?sslmode=verify-full&sslrootcert=%2Fca&uselibpqcompat=true',
  ],
  [
    'postgres://db/l',
    { PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/ca' },
    'postgres://db/l?sslmode=verify-full&sslrootcert=%2Fca&uselibpqcompat=true',
  ],
  ['postgres://db/l?sslrootcert=/ca', {}, 'postgres://db/l?sslrootcert=/ca&sslmode=require&uselibpqcompat=true'],
  ['postgres://db/l?sslmode=no-verify', {}, 'postgres://db/l?sslmode=no-verify&'],
] as const
for (const [url, env, expected] of urls) {
  test(`connect: ${url} with ${JSON.stringify(env)}`, () => {
    assert.equal(urlOptions(url, env).connectionString?.replace(/&$/, ''), expected.replace(/&$/, ''))
  })
}
