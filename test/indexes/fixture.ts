import { DuckDBDialect } from '@keelson/duckdb/kysely'
import {
  createIndexSql,
  createTableSql,
  type PortableType,
  type TableDefinition,
} from '@keelson/indexes'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { postgres } from '../support/postgres.ts'

/** The engines whose tables can be read. */
export type LiveEngine = 'sqlite' | 'duckdb' | 'postgresql'

export const liveEngines: readonly LiveEngine[] = ['sqlite', 'duckdb', 'postgresql']

/** An empty database of its own. */
export async function openDatabase(
  engine: LiveEngine,
  options: { readonly int64?: 'bigint' } = {},
): Promise<Kysely<any>> {
  switch (engine) {
    case 'sqlite':
      return new Kysely({ dialect: new SqliteDialect({ path: ':memory:', ...options }) })
    case 'duckdb':
      return new Kysely({ dialect: new DuckDBDialect({ path: ':memory:', ...options }) })
    case 'postgresql': {
      const { createDatabase } = await postgres()
      const pool = new Pool({ connectionString: await createDatabase(), max: 2 })
      return new Kysely({ dialect: new PostgresDialect({ pool }) })
    }
  }
}

/** Runs a statement, or some. */
export async function run(db: Kysely<any>, ...statements: readonly string[]): Promise<void> {
  for (const sql of statements) await db.executeQuery(CompiledQuery.raw(sql))
}

export async function rowsOf(
  db: Kysely<any>,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<readonly any[]> {
  return (await db.executeQuery(CompiledQuery.raw(sql, parameters as unknown[]))).rows
}

export function creating(table: TableDefinition, engine: LiveEngine): readonly string[] {
  return [
    ...createTableSql(table, engine),
    ...table.indexes
      .filter(({ constraint }) => constraint !== true)
      .map((index) => createIndexSql(table, index, engine)),
  ]
}

/** A table of these columns and nothing else. */
export function tableOf(
  name: string,
  columns: Readonly<Record<string, PortableType>>,
): TableDefinition {
  return {
    name,
    columns: Object.entries(columns).map(([column, type]) => ({
      name: column,
      type,
      nullable: true,
    })),
    primaryKey: [],
    indexes: [],
    foreignKeys: [],
    checks: [],
    queries: [],
  }
}

/** The parameters of a statement, as the engine writes them. */
export function placeholders(engine: LiveEngine, count: number): string {
  return Array.from({ length: count }, (_, at) => (engine === 'sqlite' ? '?' : `$${at + 1}`)).join(
    ', ',
  )
}
