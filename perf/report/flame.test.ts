import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flameGraph, type Stack } from './flame.ts'

const at = (name: string, where = 'core/x.ts:1') => ({ name, where })
const boxes = (svg: string): { title: string; x: number; y: number; width: number }[] =>
  [...svg.matchAll(/<g><title>(.*?)<\/title><rect x="(.*?)" y="(.*?)" width="(.*?)"/g)].map(
    ([, title = '', x, y, width]) => ({ title, x: Number(x), y: Number(y), width: Number(width) }),
  )

const stacks: Stack[] = [
  { frames: [at('main'), at('decide')], micros: 300 },
  { frames: [at('main'), at('commit', 'pg')], micros: 600 },
  { frames: [at('main')], micros: 100 },
]

test('flame graph: widths are times with callees, callees stand on their callers side by side', () => {
  const drawn = boxes(flameGraph('a thread', stacks))
  const [all, main, commit, decide] = drawn
  assert.deepEqual(
    drawn.map(({ title }) => title),
    ['all: 100 %', 'main core/x.ts:1: 100 %', 'commit pg: 60 %', 'decide core/x.ts:1: 30 %'],
  )
  assert.ok(all && main && commit && decide)
  assert.equal(main.width, all.width)
  assert.ok(Math.abs(commit.width / decide.width - 2) < 0.01)
  assert.ok(main.y < all.y && commit.y < main.y && commit.y === decide.y)
  assert.ok(Math.abs(commit.x + commit.width - decide.x) < 0.2)
})

test('flame graph: what is too narrow to be seen is left out, and names are safe in XML', () => {
  const svg = flameGraph('<a & b>', [
    { frames: [at('Map<K>')], micros: 1_000_000 },
    { frames: [at('rare')], micros: 1 },
  ])
  assert.deepEqual(
    boxes(svg).map(({ title }) => title),
    ['all: 100 %', 'Map&lt;K&gt; core/x.ts:1: 100 %'],
  )
  assert.match(svg, /&lt;a &amp; b&gt;/)
})

test('flame graph: without samples there is an empty one', () => {
  assert.match(flameGraph('nothing', []), /^<svg/)
})
