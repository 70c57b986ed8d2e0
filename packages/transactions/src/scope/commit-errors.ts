import { KeelsonError, TransactionAbortedError } from '@keelson/core'

/**
 * A commit would have failed.
 *
 * @param row of `PRAGMA foreign_key_check`, as an object or an array
 */
export function foreignKeyError(row: object): KeelsonError {
  const [table, , parent] = Object.values(row) as unknown[]
  return new KeelsonError(
    'DEFERRED_FOREIGN_KEY',
    `A row of ${JSON.stringify(table)} refers to a row of ${JSON.stringify(parent)} that is not there ` +
      '(PRAGMA foreign_key_check). A commit would have failed.',
  )
}

/** The engine has answered COMMIT with a rollback. */
export function rolledBackError(engine: string, cause?: unknown): TransactionAbortedError {
  return new TransactionAbortedError(
    `${engine} has rolled the transaction back in place of committing it, because a statement of it had failed. ` +
      'Nothing of it is kept.',
    cause === undefined ? undefined : { cause },
  )
}
