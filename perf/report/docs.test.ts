import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillTables } from './docs.ts'
import { sampleResult } from './testing/sample.ts'

const page = `# A page
<!-- bench engine -->
| old | table |
<!-- /bench -->
between
<!-- bench memory -->
stays
<!-- /bench -->
<!-- bench budget -->
<!-- /bench -->
`

test('docs: a table takes its place, again and again, and nothing else moves', () => {
  const filled = fillTables(page, sampleResult([90, 100, 95]))
  assert.match(filled, /^# A page\n<!-- bench engine -->\n/)
  assert.match(filled, /\| uniform \| 95 \(90–100\) \|/)
  assert.match(filled, /commit abc1234; 2026-01-02; size small\.\n<!-- \/bench -->\nbetween\n/)
  assert.match(filled, /<!-- bench memory -->\nstays\n<!-- \/bench -->/)
  assert.match(filled, /<!-- bench budget -->\n\| {2}\| target/)
  assert.ok(!filled.includes('old'))
  assert.equal(fillTables(filled, sampleResult([90, 100, 95])), filled)
})
