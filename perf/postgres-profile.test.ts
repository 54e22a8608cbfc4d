import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stacksOfScript } from './postgres-profile.ts'

const script = `postgres 
\tffffffff821f5127 copy_user (inlined) ([kernel.kallsyms])
\t          4a9f10 heap_multi_insert (/usr/lib/postgresql/15/bin/postgres)
\t          52ab00 PostgresMain (/usr/lib/postgresql/15/bin/postgres)
\t          4b1234 main (/usr/lib/postgresql/15/bin/postgres)

postgres 
\t           12a40 __memcpy_avx (/usr/lib/x86_64-linux-gnu/libc.so.6)

`

test('profile of Postgres: samples become call paths, callers first, from the main loop on', () => {
  const stacks = stacksOfScript(script)
  assert.deepEqual(
    stacks.map(({ frames }) => frames.map(({ name, where }) => `${name} ${where}`)),
    [['PostgresMain postgres', 'heap_multi_insert postgres', 'copy_user (inlined) kernel'], ['__memcpy_avx libc.so.6']],
  )
  assert.ok(stacks.every(({ micros }) => micros > 3000 && micros < 3500))
})
