// Holds the arrows between the folders, what core and actors must not touch, and the names of files (DESIGN.md section 9).
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { test } from 'node:test'

const root = import.meta.dirname
const folders = ['core', 'actors', 'adapters', 'api', 'schemas', 'perf', 'examples']

/** Folders that a folder's product code may import, and packages where not all are allowed. */
const allowed: Readonly<Record<string, { readonly folders: readonly string[]; readonly packages?: RegExp }>> = {
  core: { folders: ['core'], packages: /^(big\.js|node:crypto)$/ },
  schemas: {
    folders: ['core', 'schemas'],
    packages: /^(typebox(\/.*)?|@msgpack\/msgpack|big\.js|node:(crypto|buffer|util))$/,
  },
  actors: { folders: ['core', 'schemas', 'actors'], packages: /^node:(crypto|buffer|events|util)$/ },
  adapters: { folders: ['core', 'schemas', 'actors', 'adapters'] },
  api: { folders: ['core', 'schemas', 'actors', 'adapters', 'api'] },
  perf: { folders },
  examples: { folders },
}
const impure =
  /\b(Date\.now|new Date\(\)|performance\.now|process\.hrtime|set(Timeout|Interval|Immediate)\(|queueMicrotask\(|Math\.random|random(Bytes|UUID|Int|FillSync)\b|getRandomValues)/

const paths = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
    .map((path) => `${folder}/${path}`),
)
const isTest = (path: string): boolean => path.endsWith('.test.ts')
const forTests = (path: string): boolean => isTest(path) || path.includes('/testing/')
const sourceOf = (path: string): string => readFileSync(join(root, path), 'utf8')
const folderOf = (path: string): string => path.slice(0, path.indexOf('/'))

/** Relative imports as paths from the root, packages as they stand. */
function importsOf(path: string): string[] {
  return [...sourceOf(path).matchAll(importPattern)].map(([, fixed, dynamic]) => {
    const name = fixed ?? dynamic ?? ''
    return name.startsWith('.') ? resolve(root, dirname(path), name).slice(root.length + 1) : name
  })
}
const importPattern = /^(?:import|export)\s(?:[^'";]*?\sfrom\s)?'([^']+)'|\bimport\(\s*'([^']+)'/gm

const product = paths.filter((path) => !forTests(path))

test('tidy: imports follow the arrows core <- actors <- adapters <- api, perf', () => {
  const found = product.flatMap((path) => {
    const rule = allowed[folderOf(path)]
    return importsOf(path)
      .filter((name) => {
        if (name === 'package.json') return false
        if (folders.includes(folderOf(name))) return rule?.folders.includes(folderOf(name)) === false
        return rule?.packages?.test(name) === false
      })
      .map((name) => `${path} imports ${name}`)
  })
  assert.deepEqual(found, [])
})

test('tidy: what is for tests is not imported by the product, and perf by nobody', () => {
  const found = paths.flatMap((path) =>
    importsOf(path)
      .filter((name) => (name.startsWith('perf/') && folderOf(path) !== 'perf') || (forTests(name) && !forTests(path)))
      .filter(() => folderOf(path) !== 'perf')
      .map((name) => `${path} imports ${name}`),
  )
  assert.deepEqual(found, [])
})

/**
 * Where the real clock, timers or chance may be touched besides `adapters` and `perf`: composition roots, ways in that talk to sockets and
 * terminals, and the client, which lives in other people's processes. All else takes them through ports, so that the simulator decides.
 */
const realWorld =
  /^(adapters\/(?!simulated\/)|perf\/|examples\/|api\/(http|cli|client)\/|api\/(compose|serve|verify|shards|standby)[a-z-]*\.ts$|api\/harness\/sim\/main\.ts$)/

test('tidy: no clock, timer or randomness outside adapters and the edges, and none in the simulated world', () => {
  const found = product
    .filter((path) => !realWorld.test(path) && !simulatorOwn.has(path))
    .flatMap((path) =>
      sourceOf(path)
        .split('\n')
        .flatMap((line, index) => (impure.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    )
  assert.deepEqual(found, [])
})

/** They give way to the real event loop: between events, or where a unit test moves the time by hand. */
const simulatorOwn = new Set(['adapters/simulated/simulation.ts', 'adapters/simulated/ledger.ts'])

test('tidy: files have kebab-case names, and those with tests the suffix that tells their cost', () => {
  const found = paths.filter((path) => {
    const name = basename(path)
    const hasTests = /from 'node:test'/.test(sourceOf(path))
    return isTest(path)
      ? !/^[a-z0-9-]+(\.int|\.sim)?\.test\.ts$/.test(name)
      : !/^[a-z0-9-]+\.ts$/.test(name) || (hasTests && !forTests(path))
  })
  assert.deepEqual(found, [])
})
