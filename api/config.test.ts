import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Config, ConfigError, type Environment, readConfig } from './config.ts'

const directory = mkdtempSync(join(tmpdir(), 'suanpan-config-'))
after(() => rmSync(directory, { recursive: true }))
const file = (name: string, content: string): string => {
  writeFileSync(join(directory, name), content)
  return join(directory, name)
}

const defaults: Config = {
  port: 8080,
  host: '127.0.0.1',
  databaseUrls: undefined,
  redisUrl: undefined,
  workers: Math.min(Math.max(availableParallelism() - 1, 1), 64),
  partitions: undefined,
  dataDir: './data',
  pgBin: undefined,
  businessTimezone: undefined,
  deadlineMs: 10_000,
  houseAutoOpen: true,
  logLevel: 'info',
  segmentRowsMax: 8_000_000,
  hostLock: 'session',
  watchdogMs: 3000,
  residentAccountsMax: 1_000_000,
  idFilterBytesMax: 1 << 30,
}

const url = 'postgresql://u:hunter2@db/ledger'
const other = 'postgres://u:hunter2@db2/ledger'

const accepted: readonly (readonly [Environment, Partial<Config>])[] = [
  [{}, {}],
  [{ PORT: '', HOST: '', DATABASE_URL: '', REDIS_URL: '', WORKERS: '', PARTITIONS: '', LOG_LEVEL: '' }, {}],
  [{ PORT: '0' }, { port: 0 }],
  [{ PORT: '65535' }, { port: 65_535 }],
  [{ HOST: '::' }, { host: '::' }],
  [{ DATABASE_URL: url }, { databaseUrls: [url] }],
  [{ DATABASE_URL: 'postgresql://u@/d?host=/tmp' }, { databaseUrls: ['postgresql://u@/d?host=/tmp'] }],
  [{ DATABASE_URL: 'postgresql:///d?host=/tmp' }, { databaseUrls: ['postgresql:///d?host=/tmp'] }],
  [{ DATABASE_URLS: `${url}, ${other}` }, { databaseUrls: [url, other] }],
  [{ DATABASE_URL_FILE: file('one', `${url}\n`) }, { databaseUrls: [url] }],
  [{ DATABASE_URLS_FILE: file('two', `${url},${other}\n`) }, { databaseUrls: [url, other] }],
  [{ REDIS_URL: 'rediss://:p@cache:6380/1' }, { redisUrl: 'rediss://:p@cache:6380/1' }],
  [{ REDIS_URL_FILE: file('redis', 'redis://cache') }, { redisUrl: 'redis://cache' }],
  [{ WORKERS: '1' }, { workers: 1 }],
  [{ WORKERS: '64' }, { workers: 64 }],
  [{ PARTITIONS: '1' }, { partitions: 1 }],
  [{ PARTITIONS: '1024' }, { partitions: 1024 }],
  [{ DATA_DIR: '/srv/ledger' }, { dataDir: '/srv/ledger' }],
  [{ PG_BIN: '/opt/pg/bin' }, { pgBin: '/opt/pg/bin' }],
  [{ BUSINESS_TIMEZONE: 'Asia/Shanghai' }, { businessTimezone: 'Asia/Shanghai' }],
  [{ DEADLINE_MS: '250' }, { deadlineMs: 250 }],
  [{ HOUSE_AUTO_OPEN: 'false' }, { houseAutoOpen: false }],
  [{ LOG_LEVEL: 'silent' }, { logLevel: 'silent' }],
  [{ SEGMENT_ROWS_MAX: '1000' }, { segmentRowsMax: 1000 }],
  [{ HOST_LOCK: 'lease' }, { hostLock: 'lease' }],
  [
    { DATABASE_URL: 'postgres://pool/x?pooler=transaction' },
    { databaseUrls: ['postgres://pool/x?pooler=transaction'], hostLock: 'lease' },
  ],
  [{ WATCHDOG_MS: '900' }, { watchdogMs: 900 }],
  [{ RESIDENT_ACCOUNTS_MAX: '10' }, { residentAccountsMax: 10 }],
  [{ ID_FILTER_MB_MAX: '64' }, { idFilterBytesMax: 64 << 20 }],
  [{ ID_FILTER_MB_MAX: '0' }, { idFilterBytesMax: 0 }],
]
for (const [env, expected] of accepted)
  test(`config: ${JSON.stringify(env)} is taken`, () => {
    const config = readConfig(env)
    assert.deepEqual(config, { ...defaults, ...expected })
    assert.ok(Object.isFrozen(config))
  })

const refused: readonly (readonly [Environment, RegExp])[] = [
  [{ PORT: '80abc' }, /^PORT .*0 to 65535, not "80abc"$/],
  [{ PORT: '65536' }, /^PORT /],
  [{ PORT: '-1' }, /^PORT /],
  [{ PORT: '8e3' }, /^PORT /],
  [{ PORT: ' 80' }, /^PORT /],
  [{ PORT: '080' }, /^PORT /],
  [{ HOST: 'a b' }, /^HOST /],
  [{ DATABASE_URL: 'mysql://u:hunter2@db' }, /^DATABASE_URL .*postgresql:\/\//],
  [{ DATABASE_URL: 'hunter2' }, /^DATABASE_URL /],
  [{ DATABASE_URL: url, DATABASE_URLS: other }, /^DATABASE_URL and DATABASE_URLS/],
  [{ DATABASE_URL: url, DATABASE_URL_FILE: file('both', other) }, /^DATABASE_URL and DATABASE_URL_FILE/],
  [{ DATABASE_URL: url, DATABASE_URLS_FILE: file('many', other) }, /^DATABASE_URL and DATABASE_URLS/],
  [{ DATABASE_URL_FILE: '/nowhere/url' }, /^DATABASE_URL_FILE: \/nowhere\/url .*ENOENT/],
  [{ DATABASE_URL_FILE: file('empty', '\n') }, /^DATABASE_URL_FILE: .* is empty$/],
  [{ DATABASE_URL_FILE: file('wrong', 'hunter2') }, /^DATABASE_URL must/],
  [{ DATABASE_URLS: `${url},` }, /^DATABASE_URLS \(URL 2\)/],
  [{ DATABASE_URLS: `${url},${url}` }, /^DATABASE_URLS .*twice/],
  [{ DATABASE_URLS: Array.from({ length: 65 }, (_, n) => `${url}${n}`).join() }, /^DATABASE_URLS .*at most 64/],
  [{ REDIS_URL: 'http://cache' }, /^REDIS_URL .*rediss:/],
  [{ WORKERS: '0' }, /^WORKERS .*1 to 64/],
  [{ WORKERS: '65' }, /^WORKERS /],
  [{ PARTITIONS: '0' }, /^PARTITIONS .*1 to 1024/],
  [{ PARTITIONS: '1025' }, /^PARTITIONS /],
  [{ BUSINESS_TIMEZONE: 'Mars/Olympus' }, /^BUSINESS_TIMEZONE .*IANA/],
  [{ BUSINESS_TIMEZONE: '+08:00' }, /^BUSINESS_TIMEZONE /],
  [{ DEADLINE_MS: '0' }, /^DEADLINE_MS /],
  [{ DEADLINE_MS: '1.5' }, /^DEADLINE_MS /],
  [{ HOUSE_AUTO_OPEN: 'yes' }, /^HOUSE_AUTO_OPEN .*true, false/],
  [{ LOG_LEVEL: 'INFO' }, /^LOG_LEVEL .*info/],
  [{ SEGMENT_ROWS_MAX: '8_000_000' }, /^SEGMENT_ROWS_MAX /],
  [{ HOST_LOCK: 'session', DATABASE_URL: 'postgres://pool/x?pooler=transaction' }, /^HOST_LOCK .*pooler/],
  [{ RESIDENT_ACCOUNTS_MAX: '1e6' }, /^RESIDENT_ACCOUNTS_MAX /],
  [{ ID_FILTER_MB_MAX: '64MB' }, /^ID_FILTER_MB_MAX /],
]
for (const [env, problem] of refused)
  test(`config: ${Object.keys(env).join(' and ')} is refused: ${problem.source}`, () => {
    assert.throws(
      () => readConfig(env),
      (error) => {
        assert.ok(error instanceof ConfigError)
        assert.equal(error.problems.length, 1)
        assert.match(error.problems[0] ?? '', problem)
        assert.doesNotMatch(error.message, /hunter2/)
        return true
      },
    )
  })

test('config: all problems are reported together', () => {
  assert.throws(
    () => readConfig({ PORT: 'x', WORKERS: '-1', LOG_LEVEL: 'loud', REDIS_URL: 'cache' }),
    (error) => {
      assert.ok(error instanceof ConfigError)
      assert.deepEqual(
        error.problems.map((problem) => problem.split(' ')[0]),
        ['PORT', 'REDIS_URL', 'WORKERS', 'LOG_LEVEL'],
      )
      return true
    },
  )
})
