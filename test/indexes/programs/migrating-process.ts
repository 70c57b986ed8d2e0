// One of several processes that migrate one database: says `ready`, waits for a line, migrates, prints the report or the error.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import * as onDrizzle from '@keelson/indexes/drizzle'
import * as onKysely from '@keelson/indexes/kysely'
import { drizzle } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import BetterSqlite3 from 'better-sqlite3'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { drizzle as nodePostgresDrizzle } from 'drizzle-orm/node-postgres'
import {
  type Dialect,
  Kysely,
  PostgresDialect,
  sql,
  SqliteDialect as KyselySqliteDialect,
} from 'kysely'
import { Pool } from 'pg'
import { kyselySteps } from './steps.ts'

const [kind, place, folder, transaction] = process.argv.slice(2) as [string, string, string, string]

function betterSqlite3(): BetterSqlite3.Database {
  const database = new BetterSqlite3(place)
  database.pragma('foreign_keys = on')
  return database
}

const dialects: Readonly<Record<string, () => Dialect>> = {
  "Kysely, Keelson's SQLite": () => new SqliteDialect({ path: place }),
  "Kysely, Keelson's SQLite on threads": () => new SqliteDialect({ path: place, mode: 'threads' }),
  "Kysely, Kysely's SQLite": () => new KyselySqliteDialect({ database: betterSqlite3() }),
  'Kysely, PostgreSQL': () =>
    new PostgresDialect({ pool: new Pool({ connectionString: place, max: 3 }) }),
}
const databases: Readonly<Record<string, () => onDrizzle.AnyDatabase>> = {
  "Drizzle, Keelson's SQLite": () => drizzle(place),
  'Drizzle, better-sqlite3': () => betterSqlite3Drizzle(betterSqlite3()),
  'Drizzle, PostgreSQL': () => nodePostgresDrizzle(new Pool({ connectionString: place, max: 3 })),
}

function migrate(): Promise<unknown> {
  const dialect = dialects[kind]
  if (dialect === undefined)
    return onDrizzle.migrateSafely(databases[kind]!(), { migrations: folder })
  const steps = kyselySteps(sql, sleep, transaction === 'loose')
  return onKysely.migrateSafely(new Kysely<any>({ dialect: dialect() }), { migrations: steps })
}

process.stdout.write('ready\n')
await once(process.stdin, 'data')
const outcome = await migrate().catch((error: { code?: string; message: string }) => ({
  code: error.code,
  message: error.message,
}))
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit())
