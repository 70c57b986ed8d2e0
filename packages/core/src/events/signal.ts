/** A finding that deserves attention. Raised by the timing package's rules. */
export interface Signal {
  /** Version of this shape. */
  readonly v: 1
  /** Number in the process-wide sequence, see `nextEventId`. */
  readonly id: number
  readonly type:
    | 'slow'
    | 'nplusone'
    | 'duplicate'
    | 'scan'
    | 'long_tx'
    | 'pool_saturated'
    | 'error_rate'
    | 'db_size'
    | 'wal_size'
  readonly level: 'warn' | 'critical'
  /** `id` of the fingerprint it is about. */
  readonly fp?: string | undefined
  /** The measured values that led to it. */
  readonly evidence: Readonly<Record<string, unknown>>
  /** What to do, in one sentence, where that is known. */
  readonly fix?: string | undefined
}
