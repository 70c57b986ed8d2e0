import { type EngineName, OptionError, type Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { duckdbTables } from './duckdb.ts'
import type { LiveTable } from './live-table.ts'
import { postgresqlTables } from './postgresql.ts'
import { readTable } from './read-table.ts'
import { sqliteTables } from './sqlite.ts'

/** Which tables to read. */
export interface IntrospectOptions {
  /** The schema, or SQLite's attached database. @default the connection's own */
  readonly schema?: string
  /** Only these; one that is not there is left out. @default all of them */
  readonly tables?: readonly string[]
}

/** Reads the tables of one engine, as it has them. */
export type ReadTables = (
  session: HostSession,
  options: IntrospectOptions,
) => Steps<readonly LiveTable[]>

const readers: Readonly<Record<EngineName, ReadTables | undefined>> = {
  sqlite: sqliteTables,
  duckdb: duckdbTables,
  postgresql: postgresqlTables,
  mysql: undefined,
}

/**
 * Reads the tables that a database has, each as the definition from which it could have been created: what `canonicalTable`
 * makes of that. Views, virtual tables and the engine's own are left out. What no definition says (the SQL of an expression
 * that is none of ours) is `unsafeSql`; a type that no portable one is printed as is the nearest one with an `override`. What would
 * be lost is listed in `notEnforced`: DEFERRABLE, EXCLUDE, WITHOUT ROWID, and an identity that is ALWAYS the engine's.
 *
 * @throws {OptionError} for MySQL
 */
export function* introspectTables(
  session: HostSession,
  engine: EngineName,
  options: IntrospectOptions = {},
): Steps<readonly TableDefinition[]> {
  const read = readers[engine]
  if (read === undefined) {
    throw new OptionError(
      'INVALID_OPTION',
      'db',
      `Cannot read the tables of ${engine}: only those of SQLite, DuckDB and PostgreSQL can be read. ` +
        'Declare the tables with defineTable() there.',
    )
  }
  const tables = yield* read(session, options)
  return tables.map((table) => readTable(table, engine, options.schema))
}
