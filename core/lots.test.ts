import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openedAccount } from './account.ts'
import { dateText, daysOfDate } from './business-date.ts'
import { Lots, lastDayOf, lotNameOf, pointsLotId } from './lots.ts'

const points = { code: 'POINTS', scale: 0, autoOpen: true }
const account = (id: string) => openedAccount(1, id, points, 'credit', 0n)
const day = (text: string): number => daysOfDate(text) ?? Number.NaN

for (const [id, expected] of [
  ['c:points:2027-06', ['points', 'POINTS', day('2027-06-30')]],
  ['c:points:2028-02', ['points', 'POINTS', day('2028-02-29')]],
  ['c:points:2027-06-15', ['points', 'POINTS', day('2027-06-15')]],
  ['c:points:MILES:2027-12', ['points', 'MILES', day('2027-12-31')]],
  ['c:coupon:SPRING', ['coupon', 'SPRING', Number.POSITIVE_INFINITY]],
  ['c:coupon:SPRING:2027-06-15', ['coupon', 'SPRING', day('2027-06-15')]],
  ['c:points', undefined],
  ['c:points:soon', undefined],
  ['c:points:2027-13', undefined],
  ['c:points:2027-02-29', undefined],
  ['c:points:A:B:2027-06', undefined],
  ['c:coupon:SPRING:soon', undefined],
  ['c:cash', undefined],
  ['c:savings:points:2027-06', undefined],
  ['points:2027-06', undefined],
  ['house:points:2027-06', undefined],
] as const)
  test(`the name ${id} says ${expected === undefined ? 'nothing of a lot' : expected.join(' ')}`, () => {
    const name = lotNameOf(id)
    assert.deepEqual(name === undefined ? undefined : [name.kind, name.of, name.lastDay], expected)
  })

test('the name of a lot of points gives back the day and the program that it was made of', () => {
  const days = fc.integer({ min: day('2000-01-01'), max: day('2100-01-01') })
  fc.assert(
    fc.property(days, fc.constantFrom('POINTS', 'MILES'), (lastDay, program) => {
      const name = lotNameOf(pointsLotId('c', program, lastDay))
      assert.deepEqual(name, { kind: 'points', of: program, lastDay })
      assert.equal(lastDayOf(dateText(lastDay)), lastDay)
    }),
  )
})

test('lots are listed by their last day, whatever the order in which they came', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(['2027-01', '2027-02-01', '2027-02', '2027-06-15', '2027-06', '2028-01']),
      (days) => {
        const lots = new Lots()
        for (const text of days) lots.add(account(`c:points:${text}`))
        lots.completed('c')
        const listed = (lots.allOf('c') ?? []).map(({ lastDay }) => lastDay)
        assert.deepEqual(
          listed,
          listed.toSorted((a, b) => a - b),
        )
        assert.equal(listed.length, days.length)
      },
    ),
  )
})

test('once a lot was forgotten the lots of its owner are not known to be all there, and others are', () => {
  const lots = new Lots()
  const gone = account('c:points:2027-06')
  lots.add(gone)
  lots.add(account('c:points:2027-07'))
  lots.add(account('d:points:2027-06'))
  assert.equal(lots.allOf('c'), undefined)
  lots.completed('c')
  lots.completed('d')
  lots.forget(gone)
  assert.equal(lots.allOf('c'), undefined)
  assert.equal(lots.allOf('d')?.length, 1)
  lots.completed('c')
  assert.deepEqual(
    lots.allOf('c')?.map(({ account: { id } }) => id),
    ['c:points:2027-07'],
  )
})

test('owners without any lot are kept in mind within a bound', () => {
  const lots = new Lots()
  for (let i = 0; i < 65_536; i++) lots.completed(`o${i}`)
  lots.add(account('c:points:2027-06'))
  lots.completed('c')
  lots.forgetEmpty()
  assert.equal(lots.allOf('o1'), undefined)
  assert.equal(lots.allOf('c')?.length, 1)
})
