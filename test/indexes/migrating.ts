/** The databases on which migrations are tested, each under the same few words, and migrations for both ORMs. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MigrationEvent, MigrationReport } from '@keelson/indexes'
import * as onDrizzle from '@keelson/indexes/drizzle'
import * as onKysely from '@keelson/indexes/kysely'
import { drizzle as duckdbDrizzle } from '@keelson/duckdb/drizzle'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import BetterSqlite3 from 'better-sqlite3'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { drizzle as nodePostgresDrizzle } from 'drizzle-orm/node-postgres'
import {
  type Dialect,
  Kysely,
  PostgresDialect,
  sql as kyselySql,
  SqliteDialect as KyselySqliteDialect,
} from 'kysely'
import { Pool } from 'pg'
import { onTestFinished } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

/** A migration by its statements, for either ORM. */
export interface TextMigration {
  readonly name: string
  readonly up: readonly string[]
  readonly down?: readonly string[]
  readonly transaction?: false
}

export interface MigrateOptions {
  readonly to?: string
  readonly down?: 'last' | 'all' | { readonly to: string }
  readonly allowOutOfOrder?: boolean
  readonly allowDataLoss?: boolean | readonly string[]
  readonly backup?: string
  readonly dryRun?: boolean
  readonly lockTimeoutMs?: number
  readonly onProgress?: (event: MigrationEvent) => unknown
}

/** A database under test. */
export interface Target {
  /** Where another connection, or another process, finds it. */
  readonly place: string
  /** Runs `migrateSafely()` over these migrations. */
  migrate(migrations: readonly TextMigration[], options?: MigrateOptions): Promise<MigrationReport>
  repair(
    migrations: readonly TextMigration[],
    name: string,
    as: 'done' | 'undone' | 'edited',
  ): Promise<void>
  exec(statement: string): Promise<void>
  rows(query: string): Promise<Record<string, any>[]>
}

export interface Kind {
  readonly name: string
  readonly engine: 'sqlite' | 'duckdb' | 'postgresql'
  readonly orm: 'kysely' | 'drizzle'
  open(place?: string): Promise<Target>
}

/** The names that the history of an ORM has, in order; Drizzle's has times, from which the names are told. */
export async function history(kind: Kind, target: Target): Promise<number> {
  const table = kind.orm === 'kysely' ? 'kysely_migration' : drizzleTable(kind)
  const [row] = await target.rows(`select count(*) as n from ${table}`)
  return Number(row!['n'])
}

function drizzleTable({ engine }: Pick<Kind, 'engine'>): string {
  return engine === 'sqlite' ? '__drizzle_migrations' : 'drizzle.__drizzle_migrations'
}

export async function count(target: Target, table: string): Promise<number> {
  const [row] = await target.rows(`select count(*) as n from ${table}`)
  return Number(row!['n'])
}

/** Whether a table is there. */
export async function has(target: Target, table: string): Promise<boolean> {
  return await target.rows(`select 1 as one from ${table} limit 1`).then(
    () => true,
    () => false,
  )
}

export function kyselyMigrations(
  migrations: readonly TextMigration[],
): Record<string, onKysely.SafeMigration> {
  const run =
    (statements: readonly string[]) =>
    async (db: Kysely<any>): Promise<void> => {
      for (const statement of statements) await kyselySql.raw(statement).execute(db)
    }
  return Object.fromEntries(
    migrations.map(({ name, up, down, transaction }) => [
      name,
      {
        up: run(up),
        ...(down && { down: run(down) }),
        ...(transaction === false && { transaction }),
        // Closures over different statements have the same source.
        checksum: JSON.stringify([up, down]).replaceAll(/\W+/g, '_').slice(0, 200),
      },
    ]),
  )
}

/** A folder as `drizzle-kit generate` leaves it. The times are those of the names: `0001_users` is older than `0002_posts`. */
export function drizzleFolder(
  migrations: readonly TextMigration[],
  dialect: string,
  folder: string = temporaryDirectory(),
): string {
  mkdirSync(join(folder, 'meta'), { recursive: true })
  const entries = migrations.map(({ name, up, transaction }, idx) => {
    const head = transaction === false ? '-- keelson: no transaction\n' : ''
    writeFileSync(join(folder, `${name}.sql`), head + up.join(';--> statement-breakpoint\n'))
    const when = 1_700_000_000_000 + Number.parseInt(name, 10) * 1000
    return { idx, version: '7', when, tag: name, breakpoints: true }
  })
  writeFileSync(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect, entries }),
  )
  return folder
}

function kyselyKind(
  name: string,
  engine: Kind['engine'],
  dialect: (place: string) => Dialect,
): Kind {
  return {
    name: `Kysely, ${name}`,
    engine,
    orm: 'kysely',
    async open(place) {
      const at = place ?? (await newPlace(engine))
      const db = new Kysely<any>({ dialect: dialect(at) })
      onTestFinished(() => db.destroy())
      return {
        place: at,
        migrate: (migrations, options) =>
          onKysely.migrateSafely(db, { migrations: kyselyMigrations(migrations), ...options }),
        repair: (migrations, migration, as) =>
          onKysely.repairMigration(db, {
            migrations: kyselyMigrations(migrations),
            name: migration,
            as,
          }),
        exec: async (statement) => void (await kyselySql.raw(statement).execute(db)),
        rows: async (query) => (await kyselySql.raw(query).execute(db)).rows as never,
      }
    },
  }
}

function drizzleKind(
  name: string,
  engine: Kind['engine'],
  connect: (place: string) => { readonly db: any; close(): unknown },
): Kind {
  const dialect = engine === 'duckdb' ? 'postgresql' : engine
  return {
    name: `Drizzle, ${name}`,
    engine,
    orm: 'drizzle',
    async open(place) {
      const at = place ?? (await newPlace(engine))
      const { db, close } = connect(at)
      onTestFinished(async () => void (await close()))
      const send = (text: string): any =>
        engine === 'sqlite' ? db.run(drizzleSql.raw(text)) : db.execute(drizzleSql.raw(text))
      return {
        place: at,
        migrate: async (migrations, options) =>
          onDrizzle.migrateSafely(db, {
            migrations: drizzleFolder(migrations, dialect),
            ...options,
          }),
        repair: async (migrations, migration, as) =>
          onDrizzle.repairMigration(db, {
            migrations: drizzleFolder(migrations, dialect),
            name: migration,
            as,
          }),
        exec: async (statement) => void (await send(statement)),
        rows: async (query) =>
          engine === 'sqlite' ? db.all(drizzleSql.raw(query)) : (await send(query)).rows,
      }
    },
  }
}

async function newPlace(engine: Kind['engine']): Promise<string> {
  if (engine !== 'postgresql') return join(temporaryDirectory(), 'app.db')
  const { createDatabase } = await postgres()
  return createDatabase()
}

function betterSqlite3(path: string): BetterSqlite3.Database {
  const database = new BetterSqlite3(path)
  database.pragma('foreign_keys = on')
  return database
}

export const kinds: readonly Kind[] = [
  kyselyKind("Keelson's SQLite", 'sqlite', (path) => new SqliteDialect({ path })),
  kyselyKind(
    "Keelson's SQLite on threads",
    'sqlite',
    (path) => new SqliteDialect({ path, mode: 'threads' }),
  ),
  kyselyKind(
    "Kysely's SQLite",
    'sqlite',
    (path) => new KyselySqliteDialect({ database: betterSqlite3(path) }),
  ),
  kyselyKind("Keelson's DuckDB", 'duckdb', (path) => new DuckDBDialect({ path })),
  kyselyKind(
    'PostgreSQL',
    'postgresql',
    (url) => new PostgresDialect({ pool: new Pool({ connectionString: url, max: 3 }) }),
  ),
  drizzleKind("Keelson's SQLite", 'sqlite', (path) => {
    const db = sqliteDrizzle(path)
    return { db, close: () => db.$client.close() }
  }),
  drizzleKind("Keelson's SQLite on threads", 'sqlite', (path) => {
    const db = sqliteDrizzle({ connection: { path, mode: 'threads' } })
    return { db, close: () => db.$client.close() }
  }),
  drizzleKind('better-sqlite3', 'sqlite', (path) => {
    const client = betterSqlite3(path)
    return { db: betterSqlite3Drizzle(client), close: () => client.close() }
  }),
  drizzleKind("Keelson's DuckDB", 'duckdb', (path) => {
    const db = duckdbDrizzle(path)
    return { db, close: () => db.$client.close() }
  }),
  drizzleKind('PostgreSQL', 'postgresql', (url) => {
    const pool = new Pool({ connectionString: url, max: 3 })
    return { db: nodePostgresDrizzle(pool), close: () => pool.end() }
  }),
]

export const sqliteKinds: readonly Kind[] = kinds.filter(({ engine }) => engine === 'sqlite')
