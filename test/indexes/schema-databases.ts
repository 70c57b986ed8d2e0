import type { PGlite } from '@electric-sql/pglite'
import type { EngineName } from '@keelson/core'
import { drizzle as duckdbDrizzle } from '@keelson/duckdb/drizzle'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import type { SchemaPlan, TableDefinition } from '@keelson/indexes'
import * as onDrizzle from '@keelson/indexes/drizzle'
import type { ApplyOptions, ApplyReport, DiffOptions, EnsureOptions } from '@keelson/indexes/kysely'
import * as onKysely from '@keelson/indexes/kysely'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { withTransactions as withDrizzleTransactions } from '@keelson/transactions/drizzle'
import { withTransactions as withKyselyTransactions } from '@keelson/transactions/kysely'
import BetterSqlite3 from 'better-sqlite3'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { drizzle as nodePostgresDrizzle } from 'drizzle-orm/node-postgres'
import { drizzle as pgliteDrizzle } from 'drizzle-orm/pglite'
import { drizzle as postgresJsDrizzle } from 'drizzle-orm/postgres-js'
import {
  type Dialect,
  Kysely,
  PGliteDialect,
  PostgresDialect,
  SqliteDialect as KyselySqliteDialect,
} from 'kysely'
import { Pool } from 'pg'
import postgresJs from 'postgres'
import { onTestFinished } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { rowsOf } from './rows-of.ts'
import { emptyPGlite } from '../support/pglite.ts'

/** A database under the functions of its ORM's entry point. */
export interface SchemaDatabase {
  readonly engine: Exclude<EngineName, 'mysql'>
  /** What the ORM has it by. */
  readonly db: any
  diffSchema(tables: readonly TableDefinition[], options?: DiffOptions): Promise<SchemaPlan>
  applyPlan(plan: SchemaPlan, options?: ApplyOptions): Promise<ApplyReport>
  ensureTables(tables: readonly TableDefinition[], options?: EnsureOptions): Promise<void>
  /** By name: a table that was rebuilt comes last. */
  introspect(): Promise<readonly TableDefinition[]>
  /** Runs statements past the package, and returns the rows of the last. */
  sql(...statements: readonly string[]): Promise<readonly Record<string, unknown>[]>
}

/** An empty database, which is closed after the test. */
export type OpenDatabase = () => Promise<SchemaDatabase>

function kysely(
  engine: SchemaDatabase['engine'],
  dialect: () => Promise<Dialect> | Dialect,
): OpenDatabase {
  return async () => {
    const db = new Kysely<any>({ dialect: await dialect() })
    onTestFinished(() => db.destroy())
    return kyselyDatabase(engine, db)
  }
}

function kyselyDatabase(engine: SchemaDatabase['engine'], db: Kysely<any>): SchemaDatabase {
  return {
    engine,
    db,
    diffSchema: (tables, options) => onKysely.diffSchema(db, tables, options),
    applyPlan: (plan, options) => onKysely.applyPlan(db, plan, options),
    ensureTables: (tables, options) => onKysely.ensureTables(db, tables, options),
    introspect: async () => byName(await onKysely.introspect(db)),
    sql: (...statements) => rowsOf(db, ...statements),
  }
}

function byName(tables: readonly TableDefinition[]): readonly TableDefinition[] {
  return tables.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

function drizzle(
  engine: SchemaDatabase['engine'],
  open: () => Promise<Opened> | Opened,
): OpenDatabase {
  return async () => {
    const { db, close } = await open()
    onTestFinished(async () => void (await close()))
    return {
      engine,
      db,
      diffSchema: (tables, options) => onDrizzle.diffSchema(db, tables, options),
      applyPlan: (plan, options) => onDrizzle.applyPlan(db, plan, options),
      ensureTables: (tables, options) => onDrizzle.ensureTables(db, tables, options),
      introspect: async () => byName(await onDrizzle.introspect(db)),
      sql: (...statements) => rowsOf(db, ...statements),
    }
  }
}

interface Opened {
  readonly db: any
  close(): unknown
}

async function postgresql(): Promise<string> {
  return (await postgres()).createDatabase()
}

/** One for a file, since starting one takes more than a second. */
let pglite: PGlite | undefined

async function emptyPglite(): Promise<PGlite> {
  pglite ??= emptyPGlite()
  await pglite.exec('drop schema public cascade; create schema public')
  return pglite
}

/** Every engine, driver and ORM. */
export const databases: Readonly<Record<string, OpenDatabase>> = {
  "Keelson's SQLite under Kysely": kysely(
    'sqlite',
    () => new SqliteDialect({ path: temporaryFile() }),
  ),
  "Keelson's SQLite on threads under Kysely": kysely(
    'sqlite',
    () => new SqliteDialect({ path: temporaryFile(), mode: 'threads' }),
  ),
  "Kysely's SQLite": kysely('sqlite', () => {
    const database = new BetterSqlite3(temporaryFile())
    database.pragma('foreign_keys = on')
    return new KyselySqliteDialect({ database })
  }),
  "Keelson's SQLite under Drizzle": drizzle('sqlite', () => {
    const db = sqliteDrizzle(temporaryFile())
    return { db, close: () => db.$client.close() }
  }),
  'better-sqlite3 under Drizzle': drizzle('sqlite', () => {
    const client = new BetterSqlite3(temporaryFile())
    client.pragma('foreign_keys = on')
    return { db: betterSqlite3Drizzle(client), close: () => client.close() }
  }),
  "Keelson's SQLite under Kysely with transactions": kysely('sqlite', () =>
    withKyselyTransactions(new SqliteDialect({ path: temporaryFile() })),
  ),
  "Keelson's SQLite under Drizzle with transactions": drizzle('sqlite', () => {
    const db = sqliteDrizzle(temporaryFile())
    return { db: withDrizzleTransactions(db), close: () => db.$client.close() }
  }),
  'better-sqlite3 under Drizzle with transactions': drizzle('sqlite', () => {
    const client = new BetterSqlite3(temporaryFile())
    client.pragma('foreign_keys = on')
    const db = withDrizzleTransactions(betterSqlite3Drizzle(client))
    return { db, close: () => client.close() }
  }),
  'pg under Kysely with transactions': kysely('postgresql', async () =>
    withKyselyTransactions(
      new PostgresDialect({ pool: new Pool({ connectionString: await postgresql(), max: 3 }) }),
    ),
  ),
  'pg under Drizzle with transactions': drizzle('postgresql', async () => {
    const pool = new Pool({ connectionString: await postgresql(), max: 3 })
    return { db: withDrizzleTransactions(nodePostgresDrizzle(pool)), close: () => pool.end() }
  }),
  'DuckDB under Kysely': kysely('duckdb', () => new DuckDBDialect({ path: ':memory:' })),
  'DuckDB under Drizzle': drizzle('duckdb', () => {
    const db = duckdbDrizzle(':memory:')
    return { db, close: () => db.$client.close() }
  }),
  'pg under Kysely': kysely(
    'postgresql',
    async () =>
      new PostgresDialect({ pool: new Pool({ connectionString: await postgresql(), max: 3 }) }),
  ),
  'pg under Drizzle': drizzle('postgresql', async () => {
    const pool = new Pool({ connectionString: await postgresql(), max: 3 })
    return { db: nodePostgresDrizzle(pool), close: () => pool.end() }
  }),
  'postgres.js under Drizzle': drizzle('postgresql', async () => {
    const client = postgresJs(await postgresql(), { max: 3, onnotice: () => {} })
    return { db: postgresJsDrizzle(client), close: () => client.end() }
  }),
  'PGlite under Kysely': async () => {
    const db = new Kysely<any>({ dialect: new PGliteDialect({ pglite: await emptyPglite() }) })
    return kyselyDatabase('postgresql', db)
  },
  'PGlite under Drizzle': drizzle('postgresql', async () => {
    const client = await emptyPglite()
    return { db: pgliteDrizzle(client), close: () => {} }
  }),
}

/** One of each engine, for what does not depend on the driver. */
export const engines: readonly (readonly [string, OpenDatabase])[] = [
  ['SQLite', databases["Keelson's SQLite under Kysely"]!],
  ['DuckDB', databases['DuckDB under Kysely']!],
  ['PostgreSQL', databases['pg under Kysely']!],
]
