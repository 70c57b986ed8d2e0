import type { EngineTraits, Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { Target } from '../host/target.ts'
import { updates } from '../method/context.ts'
import type { Attempt } from '../method/method.ts'
import { readMysqlCounter, resetMysqlCounter } from '../method/mysql-method.ts'
import type { BulkOptions } from '../options.ts'
import { type Run, rowAt } from '../shape/run.ts'
import type { TableInfo } from '../shape/table-info.ts'

/** Rows that are sent together where each statement is the ORM's own. */
const rowsPerStatement = 50

/**
 * Inserts rows by the ORM's own query: those with SQL in place of a value, and all of them where a plugin changes values.
 * Of an upsert inserted and updated rows are not told apart, except where the engine counts them itself.
 */
export function* insertPlain(
  session: HostSession,
  target: Target,
  table: TableInfo,
  run: Run,
  from: number,
  to: number,
  { conflict, returning }: BulkOptions,
  { engine, maxParameters = Infinity }: EngineTraits,
): Steps<Attempt> {
  const most = Math.max(1, Math.floor((maxParameters - 500) / run.keys.length))
  const counts = engine === 'mysql' && conflict !== undefined
  const returned: Record<string, unknown>[] = []
  let changes: number | undefined = 0
  let inserted: number | undefined = 0
  for (let at = from; at < to;) {
    const size = Math.min(rowsPerStatement, most, to - at)
    const values = Array.from({ length: size }, (_, row) => rowAt(run.columns, at + row))
    try {
      if (counts) yield* resetMysqlCounter(session, size)
      const result = yield* session.savepoint((inner) =>
        target.insertPlainly(inner, run.keys, values, { conflict, returning, given: run.given }),
      )
      const isNew = counts ? size - (yield* readMysqlCounter(session, size)) : undefined
      const counted = returning === undefined ? result.changes : result.rows.length
      const changed = isNew === undefined ? counted : updates(conflict) ? size : isNew
      changes = table.isView ? undefined : add(changes, changed)
      inserted = add(inserted, isNew ?? (updates(conflict) || table.isView ? undefined : counted))
      returned.push(...result.rows)
    } catch (error) {
      return {
        outcome: { changes, inserted, returned },
        done: at - from,
        failure: { error, size },
      }
    }
    at += size
  }
  return { outcome: { changes, inserted, returned }, done: to - from, failure: undefined }
}

function add(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other
}
