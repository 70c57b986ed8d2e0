import type { EngineName } from '@keelson/core'
import type { SqlDialect } from './dialect.ts'
import { duckdbDialect } from './duckdb.ts'
import { mysqlDialect } from './mysql.ts'
import { postgresqlDialect } from './postgresql.ts'
import { sqliteDialect } from './sqlite.ts'

/** How each engine writes tables and indexes. */
export const dialects: Readonly<Record<EngineName, SqlDialect>> = {
  sqlite: sqliteDialect,
  duckdb: duckdbDialect,
  postgresql: postgresqlDialect,
  mysql: mysqlDialect,
}
