import {
  checkConfig,
  isPlainObject,
  QueryCache,
  readArguments,
  relationalSchema,
  RowMappers,
  StatementLog,
  type SourceForms,
} from '@keelson/core/drizzle'
import type { Casing, DrizzleConfig, ExtractTablesWithRelations, Logger } from 'drizzle-orm'
import type { Cache } from 'drizzle-orm/cache/core'
import type { RelationalSchemaConfig } from 'drizzle-orm/relations'
import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import type { SqliteDatabase } from '../database.ts'
import { isSqliteDatabase, openSqlite } from '../open-sqlite.ts'
import type { SqliteOptions } from '../options.ts'
import { KeelsonSqliteDatabase } from './database.ts'
import { SqliteDrizzleDialect } from './dialect.ts'
import { fieldDecoder } from './field-decoder.ts'
import { checkInstalled, checkInternals } from './internals.ts'
import { DatabaseOutlet, noDatabase } from './outlet.ts'
import { PlainSelections } from './plain-selection.ts'
import type { SharedParts } from './prepared-query.ts'
import { SqliteDrizzleSession } from './session.ts'

/** Drizzle's own configuration; every option may be left out. */
export interface SqliteDrizzleConfig<
  TSchema extends Record<string, unknown> = Record<string, never>,
> extends DrizzleConfig<TSchema> {
  /** Tables and relations, for `db.query`. https://orm.drizzle.team/docs/rqb @default no `db.query` */
  schema?: TSchema
  /** How column keys become column names where a column has none of its own. @default names as they are */
  casing?: Casing
  /**
   * Told of each statement and its parameters before it runs; `true` prints them to the console. Transaction commands
   * are not reported. A logger that throws changes nothing but a process warning. @default false
   */
  logger?: boolean | Logger
  /**
   * Keeps the rows of selects, as https://orm.drizzle.team/docs/cache tells: not those of raw SQL, relational queries,
   * batches, streams and transactions. Tables written in a transaction are invalidated when it has committed.
   * @default no cache
   */
  cache?: Cache
}

/** The form of {@link drizzle} with everything in one object: the configuration, and one of `client` and `connection`. */
export type SqliteDrizzleParameters<
  TSchema extends Record<string, unknown> = Record<string, never>,
> = SqliteDrizzleConfig<TSchema> &
  (
    | {
        /** A database that is open already. It is yours to close. */
        client: SqliteDatabase | BetterSqlite3Database
        connection?: never
      }
    | {
        /** A file to open, or the options of `openSqlite()`. */
        connection: string | URL | SqliteOptions
        client?: never
      }
  )

export interface DrizzleSqlite {
  <TSchema extends Record<string, unknown> = Record<string, never>>(
    source: string | URL | SqliteDatabase | BetterSqlite3Database,
    config?: SqliteDrizzleConfig<TSchema>,
  ): KeelsonSqliteDatabase<TSchema>

  <TSchema extends Record<string, unknown> = Record<string, never>>(
    parameters: SqliteDrizzleParameters<TSchema>,
  ): KeelsonSqliteDatabase<TSchema>

  /** A database that builds queries and runs none, for looking at their SQL. Nothing is opened. */
  mock<TSchema extends Record<string, unknown> = Record<string, never>>(
    config?: SqliteDrizzleConfig<TSchema>,
  ): Omit<KeelsonSqliteDatabase<TSchema>, '$client'> & {
    $client: '$client is not available on drizzle.mock()'
  }
}

/**
 * SQLite for Drizzle with queries that are awaited, transactions and nested transactions that work with async
 * callbacks, streams, exact counts, and statements that are prepared once.
 *
 * SQLite runs on the calling thread: the event loop stands still while a statement runs, but never while it waits for a
 * lock. Code written for Drizzle's better-sqlite3 driver adds `await` to `.get()`, `.all()`, `.run()`, `.values()`.
 *
 * A database that is opened here, from a path or options, is closed with `db.$client.close()`; one that was handed in is
 * closed by whoever opened it.
 *
 * @param source a file, `':memory:'`, a database made by `openSqlite()`, or a better-sqlite3 `Database`
 * @throws {OptionError} for an option that is unknown or cannot be used, before anything is opened
 * @throws {SqliteOpenError} for a path that cannot be opened
 * @throws {UnsupportedDrizzleError} when the installed drizzle-orm is not one this driver works with
 *
 * @example
 * const db = drizzle('app.db', { schema })
 * const ada = await db.query.users.findFirst({ where: eq(users.name, 'Ada'), with: { posts: true } })
 * await db.$client.close()
 *
 * @example
 * const database = openSqlite({ path: 'app.db', int64: 'bigint' }) // shared with Kysely
 * const db = drizzle({ client: database, casing: 'snake_case', logger: true })
 */
export const drizzle: DrizzleSqlite = Object.assign(createDatabase, { mock })

function createDatabase<TSchema extends Record<string, unknown>>(
  source: string | URL | SqliteDatabase | BetterSqlite3Database | SqliteDrizzleParameters<TSchema>,
  config?: SqliteDrizzleConfig<TSchema>,
): KeelsonSqliteDatabase<TSchema> {
  checkInstalled()
  const given = readArguments(forms, source, config)
  checkConfig(given.config)
  checkInternals(assemble(undefined, {}, undefined))
  const schema = relationalSchema(given.config)
  // Last, so that whatever is refused leaves nothing open behind.
  const client = isSqliteDatabase(given.source) ? given.source : openSqlite(given.source)
  return assemble(client, given.config, schema)
}

/** What to open, or what is open. */
type DatabaseSource = SqliteDatabase | SqliteOptions

const forms: SourceForms<DatabaseSource> = {
  source: (value) => pathIn(value) ?? databaseIn(value),
  client: databaseIn,
  connection: (value) => pathIn(value) ?? (isPlainObject(value) ? value : undefined),
  expected: {
    source: "a path, ':memory:', a database made by openSqlite(), or a better-sqlite3 Database",
    client: 'a database made by openSqlite() or a better-sqlite3 Database',
    connection: 'a path or the options of openSqlite()',
  },
}

function pathIn(value: unknown): SqliteOptions | undefined {
  return typeof value === 'string' || value instanceof URL ? { path: value } : undefined
}

function databaseIn(value: unknown): DatabaseSource | undefined {
  if (isSqliteDatabase(value)) return value
  const raw = value as Partial<BetterSqlite3Database> | null | undefined
  const isRaw = typeof raw?.prepare === 'function' && typeof raw.pragma === 'function'
  return isRaw ? { database: raw as BetterSqlite3Database } : undefined
}

function mock<TSchema extends Record<string, unknown>>(
  config: SqliteDrizzleConfig<TSchema> = {},
): ReturnType<DrizzleSqlite['mock']> & KeelsonSqliteDatabase<TSchema> {
  checkInstalled()
  checkConfig(config)
  const db = assemble(undefined, config, relationalSchema(config))
  checkInternals(db)
  return Object.assign(db, { $client: '$client is not available on drizzle.mock()' }) as never
}

function assemble<TSchema extends Record<string, unknown>>(
  client: SqliteDatabase | undefined,
  { casing, logger, cache }: SqliteDrizzleConfig<TSchema>,
  schema: RelationalSchemaConfig<ExtractTablesWithRelations<TSchema>> | undefined,
): KeelsonSqliteDatabase<TSchema> {
  const dialect = new SqliteDrizzleDialect({ ...(casing && { casing }) })
  const int64 = client?.options.int64 ?? 'number'
  const shared: SharedParts = {
    outlet: client === undefined ? noDatabase : new DatabaseOutlet(client),
    int64,
    log: StatementLog.from(logger),
    cache: cache && new QueryCache(cache),
    mappers: new RowMappers(fieldDecoder(int64)),
    plain:
      casing === undefined && int64 !== 'bigint' && int64 !== 'string'
        ? new PlainSelections()
        : undefined,
  }
  const session = new SqliteDrizzleSession<TSchema, ExtractTablesWithRelations<TSchema>>(
    client,
    dialect,
    schema,
    shared,
  )
  const db = new KeelsonSqliteDatabase<TSchema>(client!, dialect, session, schema)
  if (shared.cache !== undefined) db.$cache = shared.cache.handle
  return db
}
