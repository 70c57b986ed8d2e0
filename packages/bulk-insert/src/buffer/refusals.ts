import type { BufferSettings } from './buffer-options.ts'
import {
  BufferClosedError,
  BufferFullError,
  BufferStoppedError,
  BufferTransactionError,
  OutcomeUnknownError,
  RowDroppedError,
} from './errors.ts'

/** What a buffer says to those whom it refuses, and of rows that it gives up. */
export class Refusals {
  readonly #buffer: string

  constructor(table: string) {
    this.#buffer = `The buffer of ${JSON.stringify(table)}`
  }

  full(
    rows: number,
    { held, bytes }: { readonly held: number; readonly bytes: number },
    { maxRows, maxBytes }: BufferSettings,
  ): BufferFullError {
    return new BufferFullError(
      `${this.#buffer} has no room for ${rows} more ${rows === 1 ? 'row' : 'rows'}: it holds ${held} of ${maxRows} (maxRows), ` +
        `about ${bytes} of ${maxBytes} bytes (maxBytes). Nothing of it was taken. Add it later, await ready(), or use ` +
        "overflow: 'wait'.",
    )
  }

  stopped(held: number, cause: unknown): BufferStoppedError {
    const text = cause instanceof Error ? cause.message : String(cause)
    return new BufferStoppedError(
      `${this.#buffer} has stopped, and keeps its ${held} rows: ${text} No row is to blame for that. Once it is put right, ` +
        'flush() tries again; until then no row is taken.',
      { cause },
    )
  }

  /** A row that comes too late. */
  isClosed(): BufferClosedError {
    return new BufferClosedError(
      `${this.#buffer} is closed and cannot take a row. It is not in the table. Make another buffer for it.`,
    )
  }

  /** A row that was there when the buffer was closed. */
  closed(cause: unknown): BufferClosedError {
    return new BufferClosedError(
      `${this.#buffer} was closed before the row could be written: its deadline had passed, or writing had failed. It is not ` +
        'in the table. Allow close() more time (deadlineMs), or use a spill.',
      causeOf(cause),
    )
  }

  unknown(cause: unknown): OutcomeUnknownError {
    return new OutcomeUnknownError(
      `${this.#buffer} was closed while the row was being written: it may be in the table or not. Allow close() more time ` +
        '(deadlineMs), or use a spill.',
      causeOf(cause),
    )
  }

  leftInSpill(rows: number): BufferClosedError {
    return new BufferClosedError(
      `${this.#buffer} is closed, and flush() cannot write the ${rows} rows that it has left in its spill. The next buffer that ` +
        'is made with that spill writes them.',
    )
  }
}

export function insideTransaction(call: string): BufferTransactionError {
  return new BufferTransactionError(
    `${call} cannot be called inside a transaction: it waits for rows to be written outside of it, which may wait for the ` +
      'transaction itself. Call it when that has ended, or with outside(db, fn) of @keelson/transactions.',
  )
}

export function dropped(): RowDroppedError {
  return new RowDroppedError(
    'The row was added in a transaction that was rolled back, or of which it is not known that it was committed, and was ' +
      'dropped with it. Add it again, or outside of the transaction, if it is to be kept.',
  )
}

function causeOf(cause: unknown): ErrorOptions | undefined {
  return cause === undefined ? undefined : { cause }
}
