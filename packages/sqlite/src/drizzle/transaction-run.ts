import type { BeginOptions, SqliteSession } from '../contract.ts'
import { TransactionScope, type TransactionRoot } from './scope.ts'

/**
 * Runs `body` in a transaction on a session that nobody else uses, and commits when it resolves. Whatever is thrown, the
 * transaction is still to be rolled back, which releasing the session does.
 *
 * @param begun where it was asked for, for messages
 */
export async function runTransaction<R>(
  line: SqliteSession,
  options: BeginOptions,
  busyTimeoutMs: number,
  begun: Error,
  body: (scope: TransactionScope) => Promise<R>,
): Promise<R> {
  await line.begin(options)
  const root: TransactionRoot = { line, busyTimeoutMs, savepoints: 0, doomedBy: undefined }
  const scope = new TransactionScope(root, undefined, begun)
  try {
    const result = await body(scope)
    await scope.fence()
    if (root.doomedBy !== undefined) throw root.doomedBy
    await line.commit()
    return result
  } catch (error) {
    scope.close()
    throw error
  }
}
