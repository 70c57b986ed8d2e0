import { TransactionClosedError } from '@keelson/core'
import type { Scope } from './scope.ts'

/**
 * The scope of a statement that was sent through a handle: a handle belongs to its transaction for ever, and within that
 * the async context picks the scope, unless the handle's own is further in (a controlled transaction of Kysely).
 *
 * @param ambient the scope of the async context
 * @throws {TransactionClosedError} in the context of another transaction
 */
export function pickScope(handle: Scope, ambient: Scope | undefined): Scope {
  if (ambient === undefined || ambient === handle) return handle
  if (ambient.root === handle.root) return handle.isInside(ambient) ? handle : ambient
  throw new TransactionClosedError(
    'This handle belongs to another transaction than the one around it, and its statements would run in neither with ' +
      'certainty. Use the handle of the transaction that is open here, or plain `db`. Nothing was sent.',
  )
}
