import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { calendarOf, dateMax, dateMin, dateText, daysOfDate } from './business-date.ts'

const dates = [
  ['1970-01-01', 0],
  ['1969-12-31', -1],
  ['2000-02-29', 11_016],
  ['2027-01-31', 20_849],
  ['0001-01-01', dateMin],
  ['9999-12-31', dateMax],
] as const

for (const [text, days] of dates) {
  test(`${text} is day ${days}`, () => {
    assert.equal(daysOfDate(text), days)
    assert.equal(dateText(days), text)
  })
}

const wrong = [
  '2027-02-29',
  '1900-02-29',
  '2027-04-31',
  '2027-00-10',
  '2027-13-10',
  '2027-01-00',
  '2027-01-32',
  '0000-01-01',
  '2027-1-1',
  '2027/01/01',
  '20270101',
  '2027-01-01T',
  ' 2027-01-01',
  '+027-01-01',
  '-001-01-01',
  '2O27-01-01',
  '',
]
for (const text of wrong) test(`${JSON.stringify(text)} is no date`, () => assert.equal(daysOfDate(text), undefined))

test('every day is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: dateMin, max: dateMax }), (days) => {
      assert.equal(daysOfDate(dateText(days)), days)
    }),
    { numRuns: 2000 },
  )
})

test('days that four digits cannot write are refused', () => {
  for (const days of [dateMin - 1, dateMax + 1, 0.5, Number.NaN]) assert.throws(() => dateText(days), RangeError)
})

/** Without any cache: the day as `sv-SE` writes it. */
const dayIn = (timeZone: string) => {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  return (atMs: number) => daysOfDate(format.format(atMs))
}

const zones = [
  'UTC',
  'Etc/UTC',
  'Asia/Shanghai',
  'Europe/Prague',
  'America/New_York',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'America/St_Johns',
]
for (const timeZone of zones) {
  test(`${timeZone}: agrees with Intl at any time, in any order`, () => {
    const calendar = calendarOf(timeZone)
    const expected = dayIn(timeZone)
    const anyTime = fc.integer({ min: Date.UTC(1975), max: Date.UTC(2060) })
    fc.assert(
      fc.property(anyTime, fc.array(fc.integer({ min: -90_000, max: 90_000 }), { maxLength: 4 }), (atMs, steps) => {
        for (const step of [0, ...steps]) assert.equal(calendar(atMs + step), expected(atMs + step))
      }),
      { numRuns: 300 },
    )
  })
}

test('the day changes on the millisecond of midnight', () => {
  const shanghai = calendarOf('Asia/Shanghai')
  const midnight = Date.UTC(2027, 0, 31, 16)
  assert.equal(shanghai(midnight - 1), 20_849)
  assert.equal(shanghai(midnight), 20_850)
  assert.equal(shanghai(midnight - 1), 20_849)
})

test('Samoa skipped 30 December 2011', () => {
  const apia = calendarOf('Pacific/Apia')
  const skip = Date.UTC(2011, 11, 30, 10)
  assert.equal(dateText(apia(skip - 1)), '2011-12-29')
  assert.equal(dateText(apia(skip)), '2011-12-31')
})

test('Newfoundland turned its clocks back at a minute past midnight: the date follows the clock', () => {
  const newfoundland = calendarOf('America/St_Johns')
  const midnight = Date.UTC(2010, 10, 7, 2, 30)
  const dayAfter = (minutes: number) => dateText(newfoundland(midnight + minutes * 60_000))
  assert.deepEqual(
    [dayAfter(-1), dayAfter(0), dayAfter(1), dayAfter(59), dayAfter(60)],
    ['2010-11-06', '2010-11-07', '2010-11-06', '2010-11-06', '2010-11-07'],
  )
})

test('an unknown zone is refused by name', () => {
  assert.throws(() => calendarOf('Mars/Olympus'), { name: 'RangeError', message: /unknown time zone: "Mars\/Olympus"/ })
  assert.throws(() => calendarOf(''), RangeError)
})
