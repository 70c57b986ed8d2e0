import type { EngineName } from '@keelson/core'
import { duckdbMigrations } from './duckdb.ts'
import type { MigrationEngine } from './engine.ts'
import { mysqlMigrations } from './mysql.ts'
import { postgresqlMigrations } from './postgresql.ts'
import { sqliteMigrations } from './sqlite.ts'

export const engines: Readonly<Record<EngineName, MigrationEngine>> = {
  sqlite: sqliteMigrations,
  duckdb: duckdbMigrations,
  postgresql: postgresqlMigrations,
  mysql: mysqlMigrations,
}
