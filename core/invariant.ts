// The third family of errors: we are wrong. Thrown, never mapped to an answer; the partition's memory is dropped and replayed.

export class InvariantViolation extends Error {
  readonly rule: string
  readonly facts: Readonly<Record<string, unknown>>

  constructor(rule: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(
      `invariant violated: ${rule} ${JSON.stringify(facts, (_key, value) => (typeof value === 'bigint' ? String(value) : value))}`,
    )
    this.name = 'InvariantViolation'
    this.rule = rule
    this.facts = facts
  }
}

export function violated(rule: string, facts?: Readonly<Record<string, unknown>>): never {
  throw new InvariantViolation(rule, facts)
}
