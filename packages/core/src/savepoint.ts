import { attachSuppressed } from './errors/attach-suppressed.ts'
import { type Later, type Steps, wait } from './steps.ts'

/** What creates one savepoint, and ends it. */
export interface SavepointCommands {
  readonly create: () => Later<unknown>
  readonly rollbackTo: () => Later<unknown>
  readonly release: () => Later<unknown>
}

/** Takes the steps in a savepoint, and undoes what they did when one throws. */
export function* inSavepoint<R>(
  fn: () => Steps<R>,
  { create, rollbackTo, release }: SavepointCommands,
): Steps<R> {
  yield* wait(create())
  let result: R
  try {
    result = yield* fn()
  } catch (error) {
    try {
      yield* wait(rollbackTo())
      yield* wait(release())
    } catch (later) {
      attachSuppressed(error, later)
    }
    throw error
  }
  yield* wait(release())
  return result
}

/**
 * Takes the steps as a part of a transaction of DuckDB, which has no savepoints: when one throws, nothing of the transaction may
 * be committed, as after any statement that failed.
 */
export function* dooming<R>(
  session: { query(sql: string): Later<unknown> },
  fn: () => Steps<R>,
): Steps<R> {
  try {
    return yield* fn()
  } catch (error) {
    try {
      yield* wait(session.query(`select error('a part of this transaction has failed')`))
    } catch {
      // That is what it is for.
    }
    throw error
  }
}
