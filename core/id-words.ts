// `idKeyOf` for the hot path: from bytes to four words, without a text or a Buffer in between. SHA-256 (FIPS 180-4) over typed arrays, because
// the messages are one block, and the call into OpenSSL and the strings around it cost more than the block itself.
import type { IdKey } from './identity.ts'

const roundConstants = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
])
const initial = new Int32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
])
const blockBytes = 64
/** Three netstrings of at most 255 bytes each, and the padding. */
const message = new Uint8Array(blockBytes * 10)
const schedule = new Int32Array(64)
const state = new Int32Array(8)

/** The key of (owner, id), both ASCII and at most 255 bytes in `bytes`, as four words in network order into `words` from `to` on. */
export function idWords(
  bytes: Uint8Array,
  ownerAt: number,
  ownerLength: number,
  idAt: number,
  idLength: number,
  words: Int32Array,
  to: number,
): void {
  // An empty scope: `0:,`.
  message[0] = 48
  message[1] = 58
  message[2] = 44
  const end = netstring(bytes, idAt, idLength, netstring(bytes, ownerAt, ownerLength, 3))
  hashMessage(end)
  for (let i = 0; i < 4; i++) words[to + i] = state[i] ?? 0
}

function netstring(bytes: Uint8Array, at: number, length: number, to: number): number {
  let end = to
  if (length >= 100) message[end++] = 48 + Math.floor(length / 100)
  if (length >= 10) message[end++] = 48 + (Math.floor(length / 10) % 10)
  message[end++] = 48 + (length % 10)
  message[end++] = 58
  for (let i = 0; i < length; i++) message[end + i] = bytes[at + i] ?? 0
  message[end + length] = 44
  return end + length + 1
}

function hashMessage(length: number): void {
  const blocks = (length + 8) / blockBytes + 1
  const padded = (blocks | 0) * blockBytes
  message[length] = 0x80
  message.fill(0, length + 1, padded)
  message[padded - 2] = (length * 8) >>> 8
  message[padded - 1] = (length * 8) & 255
  state.set(initial)
  for (let at = 0; at < padded; at += blockBytes) compress(at)
}

function compress(at: number): void {
  const w = schedule
  for (let i = 0; i < 16; i++) {
    const b = at + i * 4
    w[i] =
      ((message[b] ?? 0) << 24) | ((message[b + 1] ?? 0) << 16) | ((message[b + 2] ?? 0) << 8) | (message[b + 3] ?? 0)
  }
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] ?? 0
    const y = w[i - 2] ?? 0
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[i] = ((w[i - 16] ?? 0) + s0 + (w[i - 7] ?? 0) + s1) | 0
  }
  let a = state[0] ?? 0
  let b = state[1] ?? 0
  let c = state[2] ?? 0
  let d = state[3] ?? 0
  let e = state[4] ?? 0
  let f = state[5] ?? 0
  let g = state[6] ?? 0
  let h = state[7] ?? 0
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + s1 + (g ^ (e & (f ^ g))) + (roundConstants[i] ?? 0) + (w[i] ?? 0)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  state[0] = ((state[0] ?? 0) + a) | 0
  state[1] = ((state[1] ?? 0) + b) | 0
  state[2] = ((state[2] ?? 0) + c) | 0
  state[3] = ((state[3] ?? 0) + d) | 0
  state[4] = ((state[4] ?? 0) + e) | 0
  state[5] = ((state[5] ?? 0) + f) | 0
  state[6] = ((state[6] ?? 0) + g) | 0
  state[7] = ((state[7] ?? 0) + h) | 0
}

/** The same key as a text. */
export function idKeyOfWords(words: Int32Array, at: number): IdKey {
  let key = ''
  for (let i = 0; i < 4; i++) {
    const word = words[at + i] ?? 0
    key += String.fromCharCode(word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255)
  }
  return key as IdKey
}

/** The i-th of the four words of a key. */
export function wordOfIdKey(key: IdKey, i: number): number {
  const at = i * 4
  return (
    (key.charCodeAt(at) << 24) | (key.charCodeAt(at + 1) << 16) | (key.charCodeAt(at + 2) << 8) | key.charCodeAt(at + 3)
  )
}
