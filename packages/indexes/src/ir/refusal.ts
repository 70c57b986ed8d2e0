import type { EngineName } from '@keelson/core'

/** Something that was asked for and that the engine should not have, or cannot: nothing of it is created. */
export interface Refusal {
  readonly engine: EngineName
  readonly table: string
  /** The index, by its name. */
  readonly index: string
  readonly code: RefusalCode
  /** Why not, in a sentence. */
  readonly why: string
  /** What to do instead, in a sentence. */
  readonly instead: string
}

export type RefusalCode =
  /** A left prefix of another index, of the primary key or of a unique index. */
  | 'REDUNDANT'
  /** Two definitions are the same. */
  | 'DUPLICATE'
  /** DuckDB: a scan uses no index over several columns. */
  | 'DUCKDB_MULTI_COLUMN'
  /** DuckDB: the minima and maxima that it keeps of each block do the same. */
  | 'DUCKDB_ZONEMAP'
  | 'DUCKDB_PARTIAL'
  | 'DUCKDB_EXPRESSION'
  /** DuckDB: a key or foreign key is over the column, and its own index is used. */
  | 'DUCKDB_KEY'
  /** MySQL has no partial indexes. */
  | 'MYSQL_PARTIAL'
  /** MySQL: text without a bound needs a prefix. */
  | 'MYSQL_UNBOUNDED_TEXT'
  /** PostgreSQL: an entry of a B-tree has at most 2,704 bytes. */
  | 'POSTGRESQL_UNBOUNDED_TEXT'
  /** A range or a sort over decimals that are kept as text compares them as text. */
  | 'TEXT_DECIMAL_RANGE'
  /** So many partial indexes on a table that each insert pays for all. */
  | 'TOO_MANY_PARTIAL'
  /** The engine has no such method, collation or option. */
  | 'UNSUPPORTED'
