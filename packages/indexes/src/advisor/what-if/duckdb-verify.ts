import { type Steps, wait } from '@keelson/core'
import type { Host, HostSession } from '../../host/host.ts'
import { createIndexSql } from '../../sql/print-table.ts'
import type { TableIndex } from '../candidates/table-index.ts'
import type { SampledTable } from '../sampled-table.ts'
import { countParameters } from '../text/placeholders.ts'
import type { PlannedQuery } from './planner.ts'

/** Thrown to undo what was tried. */
class Undo extends Error {}

/**
 * Whether DuckDB uses an index for a query: the index is created, the query is run under EXPLAIN ANALYZE, and all of it is
 * undone. `undefined` where its values are not known, so that it cannot be run.
 *
 * Of writes nothing is run.
 */
export async function duckdbUsesIndex(
  host: Host,
  table: SampledTable,
  index: TableIndex,
  query: PlannedQuery,
  take: <R>(steps: Steps<R>) => Promise<R>,
): Promise<boolean | undefined> {
  const { sql, parameters = [], shape } = query
  if (shape.writes.length > 0 || parameters.length !== countParameters(sql)) return undefined
  let isUsed = false
  const name = 'keelson_candidate'
  const create = createIndexSql(table.definition, { ...index.index, name }, 'duckdb')
  const steps = host.atomically(function* (session: HostSession) {
    yield* wait(session.run(create))
    const rows = yield* wait(session.query(`explain (analyze, format json) ${sql}`, parameters))
    isUsed = rows.some((row) =>
      /"Type":\s*"Index Scan"/.test(JSON.stringify(Object.values(row)).replaceAll('\\', '')),
    )
    throw new Undo()
  })
  try {
    await take(steps)
  } catch (error) {
    if (!(error instanceof Undo)) throw error
  }
  return isUsed
}
