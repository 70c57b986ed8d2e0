import { sqliteCatalogue, type Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { liveTable } from './from-catalogue.ts'
import type { IntrospectOptions } from './introspect.ts'
import type { LiveTable } from './live-table.ts'

/** The tables of SQLite, in the order in which they were created. */
export function* sqliteTables(
  session: HostSession,
  options: IntrospectOptions,
): Steps<readonly LiveTable[]> {
  const { tables } = yield* sqliteCatalogue(
    (sql, parameters) => session.query(sql, parameters),
    options,
  )
  return tables
    .filter(({ kind }) => kind === 'table')
    .map((table) => liveTable(table, (collation) => collation.toUpperCase() === 'BINARY'))
}
