/**
 * All that is read of Drizzle's tables without finding it in one of its published types: the three dialects have classes of
 * their own with the same fields.
 */
import { is, SQL, type Table } from 'drizzle-orm'
import { getTableConfig as mysqlConfig, MySqlDialect, MySqlTable } from 'drizzle-orm/mysql-core'
import { getTableConfig as postgresqlConfig, PgDialect, PgTable } from 'drizzle-orm/pg-core'
import {
  getTableConfig as sqliteConfig,
  SQLiteSyncDialect,
  SQLiteTable,
} from 'drizzle-orm/sqlite-core'
import { type EngineName, OptionError, type ReferentialAction } from '@keelson/core'

export interface DrizzleColumn {
  readonly name: string
  readonly keyAsName: boolean
  readonly notNull: boolean
  readonly primary: boolean
  readonly default: unknown
  /** For example `PgTimestamp`. */
  readonly columnType: string
  readonly isUnique: boolean
  readonly uniqueName: string | undefined
  readonly uniqueType?: 'distinct' | 'not distinct' | undefined
  readonly enumValues: readonly string[] | undefined
  readonly length?: number
  readonly precision?: number
  readonly scale?: number
  readonly autoIncrement?: boolean
  readonly baseColumn?: DrizzleColumn
  readonly generated:
    | { readonly as: unknown; readonly mode?: 'virtual' | 'stored' | undefined }
    | undefined
  readonly generatedIdentity: object | undefined
  getSQLType(): string
  mapToDriverValue(value: unknown): unknown
}

/** A column, or a copy of one in an index of PostgreSQL. */
export type DrizzleIndexKey =
  | SQL
  | {
      readonly name: string
      readonly indexConfig?: {
        readonly order?: 'asc' | 'desc'
        readonly nulls?: 'first' | 'last'
        readonly opClass?: string
      }
    }

export interface DrizzleIndex {
  readonly config: {
    readonly name?: string
    readonly columns: readonly DrizzleIndexKey[]
    readonly unique: boolean
    readonly where?: SQL
    /** PostgreSQL. */
    readonly method?: string
    /** MySQL. */
    readonly using?: string
  }
}

export interface DrizzleForeignKey {
  readonly onDelete: ReferentialAction | undefined
  readonly onUpdate: ReferentialAction | undefined
  reference(): {
    readonly columns: readonly DrizzleColumn[]
    readonly foreignTable: Table
    readonly foreignColumns: readonly DrizzleColumn[]
  }
  getName(): string
}

export interface TableConfig {
  readonly name: string
  readonly schema?: string | undefined
  readonly columns: readonly DrizzleColumn[]
  readonly primaryKeys: readonly { readonly columns: readonly DrizzleColumn[] }[]
  readonly uniqueConstraints: readonly {
    readonly name?: string
    readonly columns: readonly DrizzleColumn[]
    readonly nullsNotDistinct?: boolean
    getName?(): string | undefined
  }[]
  readonly foreignKeys: readonly DrizzleForeignKey[]
  readonly checks: readonly { readonly name: string; readonly value: SQL }[]
  readonly indexes: readonly DrizzleIndex[]
}

/** Writes SQL as the dialect does; with `'indexes'` columns stand without their table. */
export interface SqlWriter {
  sqlToQuery(sql: SQL, invokeSource: 'indexes'): { readonly sql: string }
}

export interface TableSource {
  readonly engine: EngineName
  readonly config: TableConfig
  readonly dialect: SqlWriter
}

/** @throws {OptionError} for a table of none of the three dialects */
export function tableSource(
  table: Table,
  casing: 'snake_case' | 'camelCase' | undefined,
): TableSource {
  const how = casing === undefined ? {} : { casing }
  if (is(table, SQLiteTable)) {
    return source('sqlite', sqliteConfig(table), new SQLiteSyncDialect(how))
  }
  if (is(table, PgTable)) return source('postgresql', postgresqlConfig(table), new PgDialect(how))
  if (is(table, MySqlTable)) return source('mysql', mysqlConfig(table), new MySqlDialect(how))
  throw new OptionError(
    'INVALID_OPTION',
    'tables',
    'fromDrizzle() reads tables of drizzle-orm/sqlite-core, /pg-core and /mysql-core, and was given another one.',
  )
}

export function isSql(value: unknown): value is SQL {
  return is(value, SQL)
}

function source(engine: EngineName, config: unknown, dialect: unknown): TableSource {
  return { engine, config: config as TableConfig, dialect: dialect as SqlWriter }
}
