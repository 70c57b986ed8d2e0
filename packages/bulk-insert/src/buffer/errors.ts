import { KeelsonError } from '@keelson/core'
import type { Fate, RejectedFate } from './fate.ts'

/** There is no room for the row, and `overflow` is `'error'`; or it alone is larger than `maxBytes`. It was not taken. */
export class BufferFullError extends KeelsonError {
  declare readonly code: 'BUFFER_FULL'

  constructor(message: string) {
    super('BUFFER_FULL', message)
  }
}

/** The buffer is closed, or was closed before the row could be written. The row is not in the table. */
export class BufferClosedError extends KeelsonError {
  declare readonly code: 'BUFFER_CLOSED'

  constructor(message: string, options?: ErrorOptions) {
    super('BUFFER_CLOSED', message, options)
  }
}

/**
 * The buffer has stopped writing for an error that no row is to blame for: `cause`. The rows that it holds are kept, and
 * `flush()` tries again; new ones are refused meanwhile.
 */
export class BufferStoppedError extends KeelsonError {
  declare readonly code: 'BUFFER_STOPPED'

  constructor(message: string, options?: ErrorOptions) {
    super('BUFFER_STOPPED', message, options)
  }
}

/** The buffer cannot be used that way in a transaction. */
export class BufferTransactionError extends KeelsonError {
  declare readonly code: 'BUFFER_TRANSACTION'

  constructor(message: string) {
    super('BUFFER_TRANSACTION', message)
  }
}

/** The row was added in a transaction that was not committed. It was dropped with everything else of that transaction. */
export class RowDroppedError extends KeelsonError {
  declare readonly code: 'ROW_DROPPED'

  constructor(message: string) {
    super('ROW_DROPPED', message)
  }
}

/** The row could not be written in the time or attempts that `retry` allows; `cause` is the last error. It is not in the table. */
export class RowExpiredError extends KeelsonError {
  declare readonly code: 'ROW_EXPIRED'
  /** How often it was sent. */
  readonly attempts: number
  /** Milliseconds since the buffer had taken it. */
  readonly ageMs: number

  constructor(
    message: string,
    details: { readonly attempts: number; readonly ageMs: number; readonly cause: unknown },
  ) {
    super('ROW_EXPIRED', message, { cause: details.cause })
    this.attempts = details.attempts
    this.ageMs = details.ageMs
  }
}

/**
 * The row was sent, and whether it was committed is unknown: the connection was lost between COMMIT and its answer, or the
 * buffer was closed meanwhile. Only the table can tell. With an `idempotencyKey` it would have been sent again.
 */
export class OutcomeUnknownError extends KeelsonError {
  declare readonly code: 'OUTCOME_UNKNOWN'

  constructor(message: string, options?: ErrorOptions) {
    super('OUTCOME_UNKNOWN', message, options)
  }
}

/** Some rows of `addMany()` were not written. All of them are decided. */
export class RowsRejectedError extends KeelsonError {
  declare readonly code: 'ROWS_REJECTED'
  /** What became of each row, in their order. */
  readonly fates: readonly (Fate | RejectedFate)[]

  constructor(fates: readonly (Fate | RejectedFate)[]) {
    const rejected = fates.filter((fate) => fate.status === 'rejected')
    const [first] = rejected
    const text = first?.error instanceof Error ? first.error.message : String(first?.error)
    super(
      'ROWS_REJECTED',
      `${rejected.length} of ${fates.length} rows of addMany() were not written, the first because: ${text} ` +
        '`fates` has what became of each.',
      { cause: first?.error },
    )
    this.fates = fates
  }
}

/** The spill cannot be used: another buffer has it, its files are damaged, or they cannot be written. */
export class SpillError extends KeelsonError {
  declare readonly code: 'SPILL_LOCKED' | 'SPILL_CORRUPT' | 'SPILL_FAILED'

  constructor(code: SpillError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
