import { KeelsonError } from '@keelson/core'
import type { BulkInsertReport } from './report.ts'
import type { ExpectedVersion } from './sequence/append-options.ts'

/**
 * A bulk insert failed. What is in the table is what `report` says: nothing with `atomic: true`; with `atomic: false`
 * everything up to `report.durableRows`.
 */
export class BulkInsertError extends KeelsonError {
  declare readonly code: 'BULK_INSERT'
  readonly report: BulkInsertReport
  /** The position of the row that is to blame, from 0, where there is one. */
  readonly rowIndex: number | undefined
  /** The column that is to blame, as the row calls it, where that is known. */
  readonly column: string | undefined

  constructor(
    message: string,
    details: {
      readonly report: BulkInsertReport
      readonly rowIndex?: number | undefined
      readonly column?: string | undefined
      readonly cause?: unknown
    },
  ) {
    super('BULK_INSERT', message, 'cause' in details ? { cause: details.cause } : undefined)
    this.report = details.report
    this.rowIndex = details.rowIndex
    this.column = details.column
  }
}

/** A row cannot be inserted, which was seen before anything was sent. */
export class RowError extends KeelsonError {
  declare readonly code:
    | 'NOT_A_ROW'
    | 'UNKNOWN_COLUMN'
    | 'REPEATED_COLUMN'
    | 'MISSING_COLUMN'
    | 'VALUE'
    | 'INVALID_ROW'
    | 'DUPLICATE_IN_INPUT'
  /** The column that is to blame, as the row calls it. */
  readonly column: string | undefined

  constructor(
    code: RowError['code'],
    message: string,
    column?: string,
    options?: { readonly cause?: unknown },
  ) {
    super(code, message, options)
    this.column = column
  }
}

/**
 * A stream is not at the version that was expected. Nothing was appended: read the stream up to `actualVersion`, decide
 * again, and append with that version. Trying the same once more cannot succeed.
 */
export class EventConflictError extends KeelsonError {
  declare readonly code: 'EVENT_CONFLICT'
  readonly stream: string
  readonly expectedVersion: ExpectedVersion
  /** The version the stream has, read under its lock; 0 where there is no such stream. */
  readonly actualVersion: number

  constructor(stream: string, expectedVersion: ExpectedVersion, actualVersion: number) {
    const is =
      actualVersion === 0 ? 'there is no such stream' : `the stream is at version ${actualVersion}`
    super(
      'EVENT_CONFLICT',
      `appendEvents() expected the stream ${JSON.stringify(stream)} ${expectation(expectedVersion)}, and ${is}. ` +
        'Read what was appended meanwhile, decide again, and append with that version. Nothing was written.',
    )
    this.stream = stream
    this.expectedVersion = expectedVersion
    this.actualVersion = actualVersion
  }
}

/**
 * Ids of events are there already, and not as a repeated append: some of the events are new, or they are in another
 * stream. Nothing was appended.
 */
export class EventIdError extends KeelsonError {
  declare readonly code: 'EVENT_ID'
  readonly stream: string
  /** The ids that are there. */
  readonly ids: readonly string[]

  constructor(stream: string, ids: readonly string[], why: string) {
    super(
      'EVENT_ID',
      `appendEvents() cannot append to the stream ${JSON.stringify(stream)}: ${why}. An id stands for one event for ever: ` +
        'repeat an append with all of its events, and give new events new ids. Nothing was written.',
    )
    this.stream = stream
    this.ids = ids
  }
}

/**
 * Another transaction was in the way. Inside a transaction of the caller that one has to run again as a whole, since
 * nothing else makes it see what the other has written: `transaction(db, fn, { retry: 10 })` of `@keelson/transactions`
 * does so, as does every loop that asks `describeError(error).retryable`. `cause` is the engine's error.
 */
export class WriteConflictError extends KeelsonError {
  declare readonly code: 'WRITE_CONFLICT'

  constructor(message: string, options?: ErrorOptions) {
    super('WRITE_CONFLICT', message, options)
  }
}

/** A table is missing that is made beforehand; the message says how. `cause` is the engine's error. */
export class MissingTableError extends KeelsonError {
  declare readonly code: 'NO_TABLE'

  constructor(message: string, options?: ErrorOptions) {
    super('NO_TABLE', message, options)
  }
}

/** A counter has come to numbers that JavaScript cannot represent exactly. Nothing was counted. */
export class SequenceRangeError extends KeelsonError {
  declare readonly code: 'SEQUENCE_RANGE'
  /** The number it would have been. */
  readonly value: bigint

  constructor(message: string, value: bigint) {
    super('SEQUENCE_RANGE', message)
    this.value = value
  }
}

function expectation(expected: ExpectedVersion): string {
  if (expected === 'exists') return 'to exist'
  return expected === 'noStream' || expected === 0
    ? 'not to exist'
    : `to be at version ${String(expected)}`
}
