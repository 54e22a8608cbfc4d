import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareResults, comparisonText } from './compare.ts'
import { sampleResult } from './report/testing/sample.ts'

test('compare: finds the figures that are in both and says which moved', () => {
  const lines = compareResults(sampleResult([100, 102, 101]), sampleResult([150, 153, 151]))
  const rate = lines.find(({ name }) => name === 'engine / uniform / durable tx/s')
  assert.deepEqual([rate?.before, rate?.after, rate?.verdict], [101, 151, 'better'])
  assert.ok(
    lines.filter(({ name }) => !name.includes('uniform / durable')).every(({ verdict }) => verdict === 'within noise'),
  )
})

test('compare: a figure that only one of them has is left out', () => {
  const one = sampleResult([100])
  const other = {
    ...one,
    scenarios: one.scenarios.map((scenario) => ({ ...scenario, scenario: `${scenario.scenario}2` })),
  }
  assert.deepEqual(compareResults(one, other), [])
})

test('compare: reads results of quick, with the spread of their rounds where they have it', () => {
  const quick = (rates: number[], p50Ms: number) => ({
    engineBatchTxPerSec: rates[0],
    latencyIdle: { p50Ms },
    rounds: { engineBatchTxPerSec: rates },
    machine: { cores: 2 },
  })
  const lines = compareResults(quick([100, 90, 110], 2), quick([95, 90, 100], 1))
  assert.deepEqual(
    lines.map(({ name, verdict }) => [name, verdict]),
    [
      ['engineBatchTxPerSec', 'within noise'],
      ['latencyIdle.p50Ms', 'better'],
    ],
  )
})

test('compare: the text names what is outside noise and counts the rest', () => {
  const lines = compareResults(sampleResult([100, 102, 101]), sampleResult([50, 51, 52]))
  const text = comparisonText(lines, false)
  assert.match(text, /engine \/ uniform \/ durable tx\/s +101 -> +51 tx\/s +x 0\.50 \(0\.49 to 0\.52\) {2}worse/)
  assert.match(text, /1 of \d+ figures are outside noise; --all shows the others/)
  assert.ok(comparisonText(lines, true).split('\n').length === lines.length + 1)
})
