import {
  checkConfig,
  isPlainObject,
  QueryCache,
  readArguments,
  relationalSchema,
  StatementLog,
  type SourceForms,
} from '@keelson/core/drizzle'
import type { DuckDBInstance } from '@duckdb/node-api'
import type { Casing, DrizzleConfig, ExtractTablesWithRelations, Logger } from 'drizzle-orm'
import type { Cache } from 'drizzle-orm/cache/core'
import type { RelationalSchemaConfig } from 'drizzle-orm/relations'
import type { DuckDBDatabase } from '../database.ts'
import { createDuckDB, isDuckDBDatabase, isDuckDBInstance } from '../open-duckdb.ts'
import { type DuckDBOptions, policies } from '../options.ts'
import type { PooledDatabase } from '../pooled-database.ts'
import { KeelsonDuckDBDatabase } from './database.ts'
import { DuckDBDrizzleDialect } from './dialect.ts'
import { FieldReadings } from './field-reading.ts'
import { checkInstalled, checkInternals } from './internals.ts'
import { DatabaseOutlet, noDatabase } from './outlet.ts'
import type { SharedParts } from './prepared-query.ts'
import { DuckDBDrizzleSession } from './session.ts'

/** Drizzle's own configuration; every option may be left out. */
export interface DuckDBDrizzleConfig<
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
   * streams and transactions. Tables written in a transaction are invalidated when it has committed.
   * @default no cache
   */
  cache?: Cache
}

/** The form of {@link drizzle} with everything in one object: the configuration, and one of `client` and `connection`. */
export type DuckDBDrizzleParameters<
  TSchema extends Record<string, unknown> = Record<string, never>,
> = DuckDBDrizzleConfig<TSchema> &
  (
    | {
        /** A database or instance that is open already. It is yours to close. */
        client: DuckDBDatabase | DuckDBInstance
        connection?: never
      }
    | {
        /** A file to open, or the options of `openDuckDB()`. */
        connection: string | URL | DuckDBOptions
        client?: never
      }
  )

export interface DrizzleDuckDB {
  <TSchema extends Record<string, unknown> = Record<string, never>>(
    source: string | URL | DuckDBDatabase | DuckDBInstance,
    config?: DuckDBDrizzleConfig<TSchema>,
  ): KeelsonDuckDBDatabase<TSchema>

  <TSchema extends Record<string, unknown> = Record<string, never>>(
    parameters: DuckDBDrizzleParameters<TSchema>,
  ): KeelsonDuckDBDatabase<TSchema>

  /** A database that builds queries and runs none, for looking at their SQL. Nothing is opened. */
  mock<TSchema extends Record<string, unknown> = Record<string, never>>(
    config?: DuckDBDrizzleConfig<TSchema>,
  ): Omit<KeelsonDuckDBDatabase<TSchema>, '$client'> & {
    $client: '$client is not available on drizzle.mock()'
  }
}

/**
 * DuckDB for Drizzle, with tables made by `pgTable`: Drizzle's SQL for PostgreSQL as it is, relational queries, values
 * that lose nothing, a pool of connections, streams, exact counts. It has no nested transactions, since DuckDB has no
 * savepoints, and nothing that DuckDB lacks: `serial`, `FOR UPDATE`, foreign key actions.
 *
 * Columns decide how their values are read: `timestamp({ mode: 'string' })` keeps microseconds, `numeric()` every digit,
 * `bigint({ mode: 'number' })` throws `Int64RangeError` where a number would round. What has no column (`sql`,
 * `customType()`, `db.execute()`) is read as the database's options say.
 *
 * The file is opened with the first query, which therefore reports a path that cannot be opened. A database that is
 * opened here, from a path or options, is closed with `db.$client.close()`; one that was handed in is closed by whoever
 * opened it.
 *
 * @param source a file, `':memory:'`, a database made by `openDuckDB()`, or a `DuckDBInstance`
 * @throws {OptionError} for an option that is unknown or cannot be used
 * @throws {DuckDBOpenError} for a path that can be no database's
 * @throws {UnsupportedDrizzleError} when the installed drizzle-orm is not one this driver works with
 *
 * @example
 * const db = drizzle('app.duckdb', { schema })
 * const ada = await db.query.users.findFirst({ where: eq(users.name, 'Ada'), with: { posts: true } })
 * // select "users"."id", "users"."name", "users_posts"."data" as "posts" from "users" "users"
 * //   left join lateral (select coalesce(list({'0': "id", '1': "title"}), []) as "data" ...) "users_posts" on true ...
 * await db.$client.close()
 *
 * @example
 * const database = await openDuckDB({ path: 'app.duckdb', int64: 'bigint' }) // shared with Kysely
 * const db = drizzle({ client: database, casing: 'snake_case', logger: true })
 */
export const drizzle: DrizzleDuckDB = Object.assign(createDatabase, { mock })

function createDatabase<TSchema extends Record<string, unknown>>(
  source: string | URL | DuckDBDatabase | DuckDBInstance | DuckDBDrizzleParameters<TSchema>,
  config?: DuckDBDrizzleConfig<TSchema>,
): KeelsonDuckDBDatabase<TSchema> {
  checkInstalled()
  const given = readArguments(forms, source, config)
  checkConfig(given.config)
  checkInternals(assemble(undefined, {}, undefined))
  const schema = relationalSchema(given.config)
  // Every database that openDuckDB() has made is one of these.
  const client = isDuckDBDatabase(given.source)
    ? (given.source as PooledDatabase)
    : createDuckDB(given.source)
  return assemble(client, given.config, schema)
}

/** What to open, or what is open. */
type DatabaseSource = DuckDBDatabase | DuckDBOptions

const forms: SourceForms<DatabaseSource> = {
  source: (value) => pathIn(value) ?? databaseIn(value),
  client: databaseIn,
  connection: (value) => pathIn(value) ?? (isPlainObject(value) ? value : undefined),
  expected: {
    source: "a path, ':memory:', a database made by openDuckDB(), or a DuckDBInstance",
    client: 'a database made by openDuckDB() or a DuckDBInstance',
    connection: 'a path or the options of openDuckDB()',
  },
}

function pathIn(value: unknown): DuckDBOptions | undefined {
  return typeof value === 'string' || value instanceof URL ? { path: value } : undefined
}

function databaseIn(value: unknown): DatabaseSource | undefined {
  if (isDuckDBDatabase(value)) return value
  return isDuckDBInstance(value) ? { instance: value } : undefined
}

function mock<TSchema extends Record<string, unknown>>(
  config: DuckDBDrizzleConfig<TSchema> = {},
): ReturnType<DrizzleDuckDB['mock']> & KeelsonDuckDBDatabase<TSchema> {
  checkInstalled()
  checkConfig(config)
  const db = assemble(undefined, config, relationalSchema(config))
  checkInternals(db)
  return Object.assign(db, { $client: '$client is not available on drizzle.mock()' }) as never
}

function assemble<TSchema extends Record<string, unknown>>(
  client: PooledDatabase | undefined,
  { casing, logger, cache }: DuckDBDrizzleConfig<TSchema>,
  schema: RelationalSchemaConfig<ExtractTablesWithRelations<TSchema>> | undefined,
): KeelsonDuckDBDatabase<TSchema> {
  const readings = new FieldReadings(client?.options ?? policies('drizzle.mock()', {}))
  const dialect = new DuckDBDrizzleDialect({ ...(casing && { casing }) }, readings)
  const shared: SharedParts = {
    database: client === undefined ? noDatabase : new DatabaseOutlet(client),
    log: StatementLog.from(logger),
    cache: cache && new QueryCache(cache),
    readings,
  }
  const session = new DuckDBDrizzleSession<TSchema, ExtractTablesWithRelations<TSchema>>(
    dialect,
    schema,
    shared,
  )
  const db = new KeelsonDuckDBDatabase<TSchema>(client!, dialect, session, schema)
  if (shared.cache !== undefined) db.$cache = shared.cache.handle
  return db
}
