import { transactionChannel, TransactionTrace } from '@keelson/core'

/** What tells of a transaction that begins now; undefined while nobody listens. */
export function transactionTrace(path: string, isOnReader: boolean): TransactionTrace | undefined {
  if (!transactionChannel.hasSubscribers) return undefined
  return new TransactionTrace({
    system: 'sqlite',
    db: path,
    conn: isOnReader ? 1 : 0,
    isolation: 'serializable',
  })
}
