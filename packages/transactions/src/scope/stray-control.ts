import { excerpt } from '@keelson/core'
import { TransactionControlError } from '../errors.ts'
import { transactionControl } from './statement-control.ts'

/**
 * Finds a text that would begin or end a transaction where there is none: on a connection that belongs to everybody, or
 * to whoever gets it next from the pool.
 *
 * @returns the error, or undefined for any other text
 */
export function strayControlError(sql: string): TransactionControlError | undefined {
  const found = transactionControl(sql, false)
  if (found === undefined) return undefined
  return new TransactionControlError(
    `${excerpt(found)} as text would begin or end a transaction on a connection that others use as well, or use next: ` +
      'what they write would be kept or undone with it. Use transaction(db, fn), or the transaction API of your ORM. ' +
      'Nothing was sent.',
  )
}
