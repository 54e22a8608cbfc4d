// Chance from a seed: the same seed gives the same numbers on every machine. Streams with names keep the parts of a simulation apart, so that
// one draw more in one of them does not change what the others draw.
import type { Random } from '../../actors/ports.ts'

/** sfc32 by Chris Doty-Humphrey (PractRand, http://pracrand.sourceforge.net/RNG_engines.txt): 128 bits of state. */
export class SeededRandom implements Random {
  readonly seed: number
  private readonly name: string
  private a: number
  private b: number
  private c: number
  private d = 1

  constructor(seed: number, name = '') {
    this.seed = seed
    this.name = name
    this.a = seed | 0
    this.b = Math.floor(seed / 4_294_967_296) | 0
    this.c = hashOf(name)
    for (let i = 0; i < 15; i++) this.bits()
  }

  /** Another stream: of the same seed, with a name of its own. */
  fork(name: string): SeededRandom {
    return new SeededRandom(this.seed, `${this.name}/${name}`)
  }

  /** Unsigned 32 bits. */
  bits(): number {
    const t = (this.a + this.b + this.d) | 0
    this.d = (this.d + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + t
    return t >>> 0
  }

  fraction(): number {
    return this.bits() / 4_294_967_296
  }

  bytes(count: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(count / 4))
    for (let i = 0; i < words.length; i++) words[i] = this.bits()
    return new Uint8Array(words.buffer, 0, count)
  }

  /** An integer, 0 <= x < `count`. */
  below(count: number): number {
    return Math.floor(this.fraction() * count)
  }

  /** An integer, both ends included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability
  }

  pick<T>(list: readonly [T, ...T[]]): T
  pick<T>(list: readonly T[]): T | undefined
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)]
  }

  /** One of the names, each as often as its weight says; undefined if all weights are 0. */
  weighted<T extends string>(weights: Readonly<Partial<Record<T, number>>>): T | undefined {
    const entries = Object.entries(weights) as [T, number][]
    let left = this.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      if (weight > 0 && left < weight) return name
      left -= weight
    }
    return undefined
  }

  /** A copy in another order (Fisher and Yates). */
  shuffled<T>(list: readonly T[]): T[] {
    const copy = [...list]
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const [x, y] = [copy[i], copy[j]]
      if (x !== undefined && y !== undefined) {
        copy[i] = y
        copy[j] = x
      }
    }
    return copy
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h
}
