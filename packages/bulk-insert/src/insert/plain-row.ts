import type { HostSession } from '../host/host.ts'
import type { Target } from '../host/target.ts'
import { updates } from '../method/context.ts'
import { type Attempt, nothing } from '../method/method.ts'
import type { BulkOptions } from '../options.ts'
import type { Run } from '../shape/row-shaper.ts'
import type { Steps } from '../steps.ts'
import type { TableInfo } from '../shape/table-info.ts'

/** Rows that are sent together where each statement is the ORM's own. */
const rowsPerStatement = 50

/**
 * Inserts rows by the ORM's own query: those with SQL in place of a value, and all of them where a plugin changes values.
 * Of an upsert inserted and updated rows are not told apart.
 */
export function* insertPlain(
  session: HostSession,
  target: Target,
  table: TableInfo,
  run: Run,
  from: number,
  to: number,
  { conflict, returning }: BulkOptions,
): Steps<Attempt> {
  const size = Math.min(rowsPerStatement, to - from)
  const values = run.values.slice(from, from + size)
  try {
    const result = yield* session.savepoint(() =>
      target.insertPlainly(session, run.keys, values, { conflict, returning }),
    )
    const counted = returning === undefined ? result.changes : result.rows.length
    const changes = table.isView ? undefined : counted
    const inserted = updates(conflict) ? undefined : changes
    const outcome = { changes, inserted, returned: result.rows }
    if (size === to - from) return { outcome, done: size, failure: undefined }
    const rest = yield* insertPlain(session, target, table, run, from + size, to, {
      conflict,
      returning,
    } as BulkOptions)
    return {
      outcome: {
        changes: add(changes, rest.outcome.changes),
        inserted: add(inserted, rest.outcome.inserted),
        returned: [...result.rows, ...rest.outcome.returned],
      },
      done: size + rest.done,
      failure: rest.failure,
    }
  } catch (error) {
    return { outcome: nothing, done: 0, failure: { error, size } }
  }
}

function add(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other
}
