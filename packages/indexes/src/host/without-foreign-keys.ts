import { attachSuppressed, KeelsonError, type Steps, wait } from '@keelson/core'
import type { Host, HostSession } from './host.ts'

/** Sets SQLite's `foreign_keys` off around a transaction of `host`, and back to what it was. */
export function* withoutForeignKeys<R>(
  host: Host,
  where: string,
  fn: (session: HostSession) => Steps<R>,
): Steps<R> {
  if (!(yield* areEnforced(host))) return yield* host.atomically(fn)
  const set = (to: 'on' | 'off'): Steps<unknown> => wait(host.run(`pragma foreign_keys = ${to}`))
  yield* set('off')
  let result: R
  try {
    result = yield* host.atomically(function* (session) {
      if (yield* areEnforced(session)) refuse(where)
      return yield* fn(session)
    })
  } catch (error) {
    try {
      yield* set('on')
    } catch (later) {
      attachSuppressed(error, later)
    }
    throw error
  }
  yield* set('on')
  return result
}

function* areEnforced(session: HostSession): Steps<boolean> {
  const [row] = yield* wait(
    session.query('select foreign_keys as enforced from pragma_foreign_keys'),
  )
  return Number(row?.['enforced']) === 1
}

function refuse(where: string): never {
  throw new KeelsonError(
    'FOREIGN_KEYS_ENFORCED',
    `${where} has to run while foreign keys are not enforced, and this driver begins transactions on a connection that ` +
      'cannot be told so. Use better-sqlite3 or @keelson/sqlite. Nothing was changed.',
  )
}
