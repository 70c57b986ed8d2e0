import { duckdbCatalogue, type Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { liveTable } from './from-catalogue.ts'
import type { IntrospectOptions } from './introspect.ts'
import type { LiveTable } from './live-table.ts'

/** The tables of DuckDB, in the order in which they were created. */
export function* duckdbTables(
  session: HostSession,
  options: IntrospectOptions,
): Steps<readonly LiveTable[]> {
  const { tables } = yield* duckdbCatalogue(
    (sql, parameters) => session.query(sql, parameters),
    options,
  )
  return tables.filter(({ kind }) => kind === 'table').map((table) => liveTable(table, () => true))
}
