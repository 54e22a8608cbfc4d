import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { idKeyOfWords, idWords, wordOfIdKey } from './id-words.ts'
import { idKeyOf } from './identity.ts'

const ascii = fc.string({ unit: fc.constantFrom(...'abcXYZ019._:-'), maxLength: 255 })

test('the words of an id are those of its key, whatever the length of its message', () => {
  fc.assert(
    fc.property(ascii, ascii, fc.nat(9), (owner, id, before) => {
      const bytes = Buffer.from(`${'x'.repeat(before)}${owner}${id}`)
      const words = new Int32Array(6)
      idWords(bytes, before, owner.length, before + owner.length, id.length, words, 1)
      const key = idKeyOf(owner, id)
      assert.equal(idKeyOfWords(words, 1), key)
      for (let i = 0; i < 4; i++) assert.equal(wordOfIdKey(key, i), words[i + 1])
    }),
    { numRuns: 500 },
  )
})

test('messages around the edge of a block', () => {
  for (let length = 30; length <= 130; length++) {
    const id = 'i'.repeat(length)
    const bytes = Buffer.from(`cust-42${id}`)
    const words = new Int32Array(4)
    idWords(bytes, 0, 7, 7, length, words, 0)
    assert.equal(idKeyOfWords(words, 0), idKeyOf('cust-42', id), `${length}`)
  }
})
