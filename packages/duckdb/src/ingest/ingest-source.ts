import type { DuckDBType, DuckDBValue } from '@duckdb/node-api'

export interface IngestColumn {
  readonly name: string
  readonly type: DuckDBType
}

/** Rows as DuckDB takes them: by column, each value of its column's type. */
export interface IngestSource {
  readonly columns: readonly IngestColumn[]
  readonly values: readonly (readonly DuckDBValue[])[]
  readonly rowCount: number
}

/** Something that a statement can select the rows from, until it is withdrawn. */
export interface OfferedSource {
  /** As it stands in the SQL. */
  readonly name: string
  withdraw(): Promise<void>
}
