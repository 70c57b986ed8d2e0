import { TransactionAcquireTimeoutError } from '../errors.ts'

/** No connection came within `acquireTimeoutMs`. */
export function acquireTimeoutError(timeoutMs: number): TransactionAcquireTimeoutError {
  return new TransactionAcquireTimeoutError(
    `Gave up after waiting ${timeoutMs} ms (acquireTimeoutMs) for a connection. Every connection is in use, or the server ` +
      'does not answer. Make the pool larger, transactions shorter, or the limit longer. Nothing was begun.',
  )
}
