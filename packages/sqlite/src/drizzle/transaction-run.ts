import { attachSuppressed } from '@keelson/core'
import type { BeginOptions, SqliteSession } from '../contract.ts'
import { TransactionScope, type TransactionRoot } from './scope.ts'

/**
 * Runs `body` in a transaction on a session that nobody else uses: commits when it resolves, rolls back when it throws,
 * and rethrows the same error with whatever else failed attached to it.
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
    await line.rollback().catch((later: unknown) => attachSuppressed(error, later))
    throw error
  }
}
