import { type EngineName, quoteIdentifier, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../../host/host.ts'
import type { PlanStep } from '../schema-plan.ts'

/**
 * Tells SQLite's planner of indexes that are new. It is told only of those on tables that have statistics already: beside them it would
 * take the new index for what it guesses. Where there are none it guesses for all alike, and to begin with statistics
 * changes the plans of every query (a skip-scan that they allow made one 16 times slower), which is for the user to do:
 * `pragma optimize`.
 */
export function* analyseNewIndexes(
  session: HostSession,
  steps: readonly PlanStep[],
  engine: EngineName,
): Steps<void> {
  if (engine !== 'sqlite') return
  // Statistics of an attached database are its own.
  const created = steps.filter(
    ({ kind, object, schema }) =>
      kind === 'createIndex' && object !== undefined && schema === undefined,
  )
  if (created.length === 0) return
  const kept = yield* wait(
    session.query(`select 1 as one from sqlite_schema where name = 'sqlite_stat1'`),
  )
  if (kept.length === 0) return
  const rows = yield* wait(session.query('select distinct tbl from sqlite_stat1'))
  const known = new Set(rows.map(({ tbl }) => String(tbl)))
  for (const { table, object = '' } of created)
    if (known.has(table)) yield* wait(session.run(`analyze ${quoteIdentifier(object, engine)}`))
}
