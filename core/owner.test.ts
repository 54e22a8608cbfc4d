import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command, Postings } from './command.ts'
import { nonHouseOwnersOf, ownerOfCommand, postingsOwnerProblem, routingKeyOf } from './owner.ts'
import {
  capture,
  change,
  credit,
  debit,
  expire,
  hold,
  leg,
  open,
  postings,
  refund,
  release,
  transfer,
} from './testing/commands.ts'

const owners: readonly (readonly [
  name: string,
  command: Command,
  owner: string,
  route: string,
  all: readonly string[],
])[] = [
  ['debit', debit(), 'c', 'c', ['c']],
  ['debit of the house', debit({ account: 'house:a', to: 'm:cash' }), 'm', 'm', ['m']],
  ['debit in the house', debit({ account: 'house:a', to: 'house:b' }), 'house', 'd', []],
  ['debit to another owner', debit({ to: 'm:cash' }), 'c', 'c', ['c', 'm']],
  ['credit', credit(), 'c', 'c', ['c']],
  ['credit from another owner', credit({ from: 'm:cash' }), 'c', 'c', ['m', 'c']],
  ['credit of the house', credit({ account: 'house:a', from: 'm:cash' }), 'm', 'm', ['m']],
  ['transfer', transfer(), 'c', 'c', ['c']],
  ['transfer from the house', transfer({ from: 'house:a', to: 'm:cash' }), 'm', 'm', ['m']],
  ['transfer to the house', transfer({ from: 'm:cash', to: 'house:a' }), 'm', 'm', ['m']],
  ['transfer in the house', transfer({ from: 'house:b', to: 'house:a' }), 'house', 't', []],
  ['transfer between owners', transfer({ to: 'm:cash' }), 'c', 'c', ['c', 'm']],
  ['hold', hold(), 'c', 'c', ['c']],
  ['capture', capture(), 'c', 'c', ['c']],
  ['release', release(), 'c', 'c', ['c']],
  ['refund', refund(), 'c', 'c', ['c']],
  ['refund to the house', refund({ account: 'house:a' }), 'house', 'ref', []],
  ['open', open(), 'c', 'c', ['c']],
  ['change', change(), 'c', 'c', ['c']],
  ['expire', expire(), 'c', 'c', ['c']],
  ['postings', postings([leg('house:a', 'c:x'), leg('c:x', 'c:y')]), 'c', 'c', ['c']],
  ['postings in the house', postings([leg('house:a', 'house:b')]), 'house', 'p', []],
  ['postings of two owners', postings([leg('c:a', 'm:b')], { owner: 'm' }), 'm', 'm', ['c', 'm']],
]

for (const [name, command, owner, route, all] of owners) {
  test(`owner of ${name}: ${owner}, routed by ${route}`, () => {
    assert.equal(ownerOfCommand(command), owner)
    assert.equal(routingKeyOf(command), route)
    assert.deepEqual(nonHouseOwnersOf(command), all)
  })
}

const problems: readonly (readonly [name: string, command: Postings, problem: string | undefined])[] = [
  ['one owner, not named', postings([leg('c:a', 'house:b')]), undefined],
  ['one owner, named', postings([leg('c:a', 'house:b')], { owner: 'c' }), undefined],
  ['one owner, another named', postings([leg('c:a', 'house:b')], { owner: 'm' }), 'not_an_owner'],
  ['one owner, the house named', postings([leg('c:a', 'house:b')], { owner: 'house' }), 'not_an_owner'],
  ['two owners, not named', postings([leg('c:a', 'm:b')]), 'required'],
  ['two owners, one named', postings([leg('c:a', 'm:b')], { owner: 'm' }), undefined],
  ['two owners, a third named', postings([leg('c:a', 'm:b')], { owner: 'x' }), 'not_an_owner'],
  ['the house only, not named', postings([leg('house:a', 'house:b')]), undefined],
  ['the house only, named', postings([leg('house:a', 'house:b')], { owner: 'house' }), undefined],
  ['the house only, another named', postings([leg('house:a', 'house:b')], { owner: 'c' }), 'not_an_owner'],
]

for (const [name, command, problem] of problems) {
  test(`owner of postings: ${name} -> ${problem ?? 'fine'}`, () => assert.equal(postingsOwnerProblem(command), problem))
}
