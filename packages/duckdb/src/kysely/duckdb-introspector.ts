import {
  sql,
  type ColumnMetadata,
  type DatabaseIntrospector,
  type DatabaseMetadataOptions,
  type Kysely,
  type SchemaMetadata,
  type TableMetadata,
} from 'kysely'
import { DEFAULT_MIGRATION_LOCK_TABLE, DEFAULT_MIGRATION_TABLE } from 'kysely/migration'

/**
 * What Kysely asks of a database, of the current one: not of others that are attached, and not of `temp`. Keys and
 * indexes are not among it; `introspect()` reads them too.
 */
export class DuckDBIntrospector implements DatabaseIntrospector {
  readonly #db: Kysely<any>

  constructor(db: Kysely<any>) {
    this.#db = db
  }

  async getSchemas(): Promise<SchemaMetadata[]> {
    const { rows } = await sql<SchemaMetadata>`
      select schema_name as name from duckdb_schemas() where ${isCurrent} order by schema_name`.execute(
      this.#db,
    )
    return rows
  }

  /** Generated columns count as columns with a default: neither has to be given a value. */
  async getTables(
    options: DatabaseMetadataOptions = { withInternalKyselyTables: false },
  ): Promise<TableMetadata[]> {
    const { rows } = await sql<ColumnRow>`
      select schema_name, table_name, column_name, data_type, is_nullable, column_default, comment,
        (database_oid, table_oid) in (select (database_oid, view_oid) from duckdb_views()) as is_view
      from duckdb_columns() where ${isCurrent} and not internal
      order by schema_name, table_name, column_index`.execute(this.#db)
    const tables: Table[] = []
    for (const row of rows) {
      if (!options.withInternalKyselyTables && internalTables.includes(row.table_name)) continue
      const last = tables.at(-1)
      if (last?.name === row.table_name && last.schema === row.schema_name)
        last.columns.push(readColumn(row))
      else tables.push(readTable(row))
    }
    return tables
  }
}

interface Table extends TableMetadata {
  readonly schema: string
}

interface ColumnRow {
  readonly schema_name: string
  readonly table_name: string
  readonly column_name: string
  readonly data_type: string
  readonly is_nullable: boolean
  readonly column_default: string | null
  readonly comment: string | null
  readonly is_view: boolean
}

const internalTables: readonly string[] = [DEFAULT_MIGRATION_TABLE, DEFAULT_MIGRATION_LOCK_TABLE]

// After `use SIDE` the one is "SIDE" and the other "side".
const isCurrent = sql`lower(database_name) = lower(current_database())`

function readTable(row: ColumnRow): Table {
  return {
    name: row.table_name,
    schema: row.schema_name,
    isView: row.is_view,
    isForeign: false,
    columns: [readColumn(row)],
  }
}

function readColumn(row: ColumnRow): ColumnMetadata {
  const { column_default: fallback, comment } = row
  return {
    name: row.column_name,
    dataType: row.data_type,
    isNullable: row.is_nullable,
    isAutoIncrementing: fallback !== null && /^nextval\(/i.test(fallback),
    hasDefaultValue: fallback !== null,
    ...(comment !== null && { comment }),
  }
}
