import assert from 'node:assert/strict'
import { test } from 'node:test'
import { budgetLines } from './budget.ts'
import { niceCeiling, shown, spaced } from './chart.ts'
import { reportHtml } from './html.ts'
import { readmeMarkdown, resultMarkdown } from './markdown.ts'
import { sampleResult } from './testing/sample.ts'

const result = sampleResult([90_000, 100_000, 95_000])

test('report: one file that asks for nothing else', () => {
  const html = reportHtml(result)
  assert.ok(!/<(script|link|img|iframe)\b|https?:|url\(|@import/.test(html))
  assert.ok(html.startsWith('<!doctype html>') && html.trimEnd().endsWith('</html>'))
})

test('report: every case, figure, note and check is in it, and text cannot break out', () => {
  const html = reportHtml(result)
  for (const text of [
    'uniform',
    '95,000 (90,000–100,000)',
    'row lock, hot',
    'a note with &lt;angle&gt; &amp; brackets',
    'Verified: row lock: 10 debits',
  ])
    assert.ok(html.includes(text), text)
  assert.ok(!html.includes('<angle>'))
})

test('report: tags are balanced, and no drawing holds a number that is none', () => {
  const html = reportHtml(result)
  for (const tag of ['svg', 'figure', 'table', 'section', 'tr', 'td', 'ul'])
    assert.equal(html.split(`<${tag}`).length - 1, html.split(`</${tag}>`).length - 1, tag)
  assert.ok(!/NaN|undefined|Infinity/.test(html))
})

test('report: it states machine, commit, durability', () => {
  const text = resultMarkdown(result)
  for (const part of [
    '2 cores of Some CPU',
    'commit abc1234',
    'fsync on',
    'synchronous_commit on',
    'Postgres 18.4',
    'size small',
  ])
    assert.ok(text.includes(part), part)
})

test('report: the budget knows what was met, and leaves out what was not measured', () => {
  assert.deepEqual(
    budgetLines(result).map(({ what, met }) => [what, met]),
    [
      ['batches, uniform, to raw COPY of the same rows', true],
      ['one hot account to uniform', false],
      ['ahead of the row lock, hot', true],
      ['idle, p50 ms', true],
    ],
  )
  assert.match(readmeMarkdown(result), /\| one hot account to uniform \| at least 1 \| 0\.725 \(0\.7–0\.75\) \| no \|/)
})

test('charts: axes end at round numbers above the largest value', () => {
  assert.deepEqual([0.07, 1, 1.1, 39, 41_000, 0].map(niceCeiling), [0.08, 1, 1.2, 40, 50_000, 1])
  assert.deepEqual([1_500_000, 25_000, 9_999, 0.123].map(shown), ['1.5M', '25k', '10000', '0.123'])
})

test('charts: labels at line ends are moved apart and keep their order', () => {
  assert.deepEqual(spaced([100, 101, 102], 15), [100, 115, 130])
  assert.deepEqual(spaced([200, 100], 15), [200, 100])
})
