import { duckdbCatalogue, type Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { nextNumberSql } from '../sql/print-column.ts'
import { liveTable } from './from-catalogue.ts'
import type { IntrospectOptions } from './introspect.ts'
import type { LiveColumn, LiveTable } from './live-table.ts'

/** The tables of DuckDB, in the order in which they were created. */
export function* duckdbTables(
  session: HostSession,
  options: IntrospectOptions,
): Steps<readonly LiveTable[]> {
  const { tables } = yield* duckdbCatalogue(
    (sql, parameters) => session.query(sql, parameters),
    options,
  )
  return tables
    .filter(({ kind }) => kind === 'table')
    .map((table) => {
      const live = liveTable(table, () => true)
      return {
        ...live,
        columns: live.columns.map((column) => withIdentity(column, live.name, options.schema)),
      }
    })
}

/** A column is numbered when its numbers come from the sequence that is created with its table; others are DEFAULTs. */
function withIdentity(column: LiveColumn, table: string, schema: string | undefined): LiveColumn {
  const { default: fallback, ...rest } = column
  const own = nextNumberSql(
    { name: table, ...(schema !== undefined && { schema }) },
    column,
    'duckdb',
  )
  return fallback === own ? { ...rest, identity: true } : { ...column, identity: false }
}
