// What can go wrong with the embedded Postgres, each with a text that says what to do.

export type EmbeddedPostgresCode =
  /** No binaries run on this machine. */
  | 'no_binaries'
  /** Another process uses this data. */
  | 'in_use'
  /** The folder holds something that we did not make. */
  | 'not_ours'
  /** The data were written by another major version of Postgres. */
  | 'other_version'
  /** The account Postgres runs under may not use the data. */
  | 'not_permitted'
  | 'init_failed'
  | 'start_failed'
  /** Postgres runs, but does not accept connections yet (a long recovery): it is left alone, the next start adopts it. */
  | 'start_timeout'
  | 'stop_failed'

export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError'
  readonly code: EmbeddedPostgresCode

  constructor(code: EmbeddedPostgresCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
