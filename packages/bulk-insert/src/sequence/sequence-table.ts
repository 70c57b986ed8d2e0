import { checkOptionNames, type EngineName } from '@keelson/core'
import { tableName } from './table-name.ts'

/** Where counters are kept. */
export interface SequenceTableOptions {
  /** The table. @default 'keelson_sequence' */
  readonly table?: string | undefined
  /** Its schema; on MySQL the database, on DuckDB or SQLite a schema or an attached database. @default the connection's own */
  readonly schema?: string | undefined
}

export const defaultSequenceTable = 'keelson_sequence'

/** What the columns are made of. */
const columns: Readonly<Record<EngineName, { text: string; integer: string; end: string }>> = {
  sqlite: {
    text: 'text not null',
    // What outgrows 64 bits SQLite would turn into a floating-point number.
    integer: "integer not null check (typeof(value) = 'integer')",
    end: ' without rowid',
  },
  postgresql: { text: 'text not null', integer: 'bigint not null', end: '' },
  duckdb: { text: 'varchar not null', integer: 'bigint not null', end: '' },
  mysql: {
    text: 'varchar(255) character set utf8mb4 collate utf8mb4_bin not null',
    integer: 'bigint not null',
    // Of the engines of MySQL one that has transactions.
    end: ' engine = InnoDB',
  },
}

/**
 * The statement that creates the table of `nextSequence()`, for migrations that are written in SQL.
 *
 * @returns one statement, in an array as from `eventTableStatements()`
 * @throws {IdentifierError} for a name that the engine would not take as it is
 *
 * @example
 * sequenceTableStatements('postgresql')
 * // create table if not exists "keelson_sequence" (name text not null, scope text not null, value bigint not null, primary key (name, scope))
 */
export function sequenceTableStatements(
  engine: EngineName,
  options: SequenceTableOptions = {},
): readonly string[] {
  checkOptionNames('sequenceTableStatements()', options, ['table', 'schema'])
  const { text, integer, end } = columns[engine]
  const { full } = tableName(options.table ?? defaultSequenceTable, options.schema, engine)
  return [
    `create table if not exists ${full} (name ${text}, scope ${text}, value ${integer}, primary key (name, scope))${end}`,
  ]
}
