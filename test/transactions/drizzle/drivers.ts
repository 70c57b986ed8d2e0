import type { PGlite } from '@electric-sql/pglite'
import { drizzle as duckdbDrizzle } from '@keelson/duckdb/drizzle'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import { type TransactionDefaults, withTransactions } from '@keelson/transactions/drizzle'
import { createClient } from '@libsql/client'
import Database from 'better-sqlite3'
import { type Logger, relations, sql } from 'drizzle-orm'
import { drizzle as libsqlDrizzle } from 'drizzle-orm/libsql'
import { drizzle as mysql2Drizzle } from 'drizzle-orm/mysql2'
import { mysqlTable, varchar } from 'drizzle-orm/mysql-core'
import { drizzle as nodePostgres } from 'drizzle-orm/node-postgres'
import { pgTable, text as pgText } from 'drizzle-orm/pg-core'
import { drizzle as pgliteDrizzle } from 'drizzle-orm/pglite'
import { drizzle as postgresJsDrizzle } from 'drizzle-orm/postgres-js'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { drizzle as proxyDrizzle } from 'drizzle-orm/sqlite-proxy'
import { createConnection, createPool } from 'mysql2/promise'
import { Client, Pool } from 'pg'
import postgresJs from 'postgres'
import { onTestFinished } from 'vitest'
import { createMysqlDatabase, hasMysql } from '../../support/mysql.ts'
import { postgres } from '../../support/postgres.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { emptyPGlite } from '../../support/pglite.ts'

export const item = sqliteTable('item', { name: text().notNull().unique() })
export const pgItem = pgTable('item', { name: pgText().notNull().unique() })
const mysqlItem = mysqlTable('item', { name: varchar({ length: 700 }).notNull().unique() })

const tables = { sqlite: item, postgresql: pgItem, duckdb: pgItem, mysql: mysqlItem }

/** The suite runs on drivers whose types have little in common. */
export type Db = any

interface Options {
  readonly logger: Logger
  readonly schema: Record<string, unknown>
}

/** A driver of Drizzle's or ours, and what of transactions its engine has. */
export interface DriverUnderTest {
  readonly name: string
  readonly kind: 'sqlite' | 'postgresql' | 'mysql' | 'duckdb'
  /** Its server is not everywhere: its tests are listed as skipped. */
  readonly isMissing?: boolean
  /** Several transactions can be open at once. */
  readonly hasPool: boolean
  /** Two can, where one of them reads only. */
  readonly hasReaders: boolean
  readonly hasSavepoints: boolean
  /** A failed statement fails the transaction, or the savepoint it is in. */
  readonly failsWhole: boolean
  /** What the logger is told of control statements; undefined where it is told of none. */
  readonly logs: { readonly begin: string } | undefined
  open(options: Options): Db
}

const postgresql = {
  kind: 'postgresql',
  hasPool: false,
  hasReaders: false,
  hasSavepoints: true,
  failsWhole: true,
  logs: { begin: 'begin' },
} as const

const sqlite = {
  kind: 'sqlite',
  hasPool: false,
  hasReaders: false,
  hasSavepoints: true,
  failsWhole: false,
  logs: { begin: 'begin immediate' },
} as const

const poolMax = 3

/** A pool on an empty database. */
export async function newPool(max: number = poolMax): Promise<Pool> {
  const { createDatabase } = await postgres()
  const pool = new Pool({ connectionString: await createDatabase(), max })
  // What happens to idle connections is the pool's, and its owner's, to hear.
  pool.on('error', () => {})
  onTestFinished(() => pool.end())
  return pool
}

export const nodePostgresPool: DriverUnderTest = {
  ...postgresql,
  name: 'node-postgres over a pool',
  hasPool: true,
  open: async (options) => nodePostgres(await newPool(), options),
}

export const nodePostgresClient: DriverUnderTest = {
  ...postgresql,
  name: 'node-postgres over a client',
  async open(options) {
    const { createDatabase } = await postgres()
    const client = new Client({ connectionString: await createDatabase() })
    await client.connect()
    onTestFinished(() => client.end())
    return nodePostgres(client, options)
  },
}

/** Starting one takes more than a second, so the tests of a file take turns. */
const idlePGlites: PGlite[] = []

export const pglite: DriverUnderTest = {
  ...postgresql,
  name: 'PGlite',
  open(options) {
    const client = idlePGlites.pop() ?? emptyPGlite()
    onTestFinished(() => void idlePGlites.push(client))
    return pgliteDrizzle(client, options)
  },
}

export const postgresJsPool: DriverUnderTest = {
  ...postgresql,
  name: 'postgres.js',
  hasPool: true,
  async open(options) {
    const { createDatabase } = await postgres()
    const client = postgresJs(await createDatabase(), { max: poolMax, onnotice: () => {} })
    onTestFinished(() => client.end())
    return postgresJsDrizzle(client, options)
  },
}

const mysql = {
  kind: 'mysql',
  isMissing: !hasMysql,
  hasReaders: false,
  hasSavepoints: true,
  failsWhole: false,
  logs: { begin: 'start transaction' },
} as const

export const mysql2Pool: DriverUnderTest = {
  ...mysql,
  name: 'mysql2 over a pool',
  hasPool: true,
  async open(options) {
    const pool = createPool({ uri: await createMysqlDatabase(), connectionLimit: poolMax })
    onTestFinished(() => pool.end())
    return mysql2Drizzle(pool, { ...options, mode: 'default' })
  },
}

export const mysql2Connection: DriverUnderTest = {
  ...mysql,
  name: 'mysql2 over a connection',
  hasPool: false,
  async open(options) {
    const connection = await createConnection(await createMysqlDatabase())
    onTestFinished(() => connection.end())
    return mysql2Drizzle(connection, { ...options, mode: 'default' })
  },
}

export const libsqlFile: DriverUnderTest = {
  ...sqlite,
  name: 'libsql with a file',
  logs: { begin: 'begin write' },
  open(options) {
    const client = createClient({ url: `file:${temporaryFile()}` })
    onTestFinished(() => client.close())
    return libsqlDrizzle(client, options)
  },
}

export const libsqlMemory: DriverUnderTest = {
  ...libsqlFile,
  name: 'libsql in memory',
  open(options) {
    const client = createClient({ url: ':memory:' })
    onTestFinished(() => client.close())
    return libsqlDrizzle(client, options)
  },
}

export const sqliteProxy: DriverUnderTest = {
  ...sqlite,
  name: 'sqlite-proxy',
  open(options) {
    const { one, many } = proxied(new Database(':memory:'))
    return proxyDrizzle(one, many, options)
  },
}

type Method = 'run' | 'all' | 'values' | 'get'

/** A connection that answers a little later, as behind a network. */
export function proxied(raw: Database.Database): {
  one(sql: string, params: any[], method: Method): Promise<{ rows: any[] }>
  many(queries: { sql: string; params: any[]; method: Method }[]): Promise<{ rows: any[] }[]>
} {
  onTestFinished(() => void raw.close())
  const one = async (text: string, params: any[], method: Method): Promise<{ rows: any[] }> => {
    await Promise.resolve()
    const statement = raw.prepare(text)
    if (!statement.reader) {
      statement.run(...params)
      return { rows: [] }
    }
    statement.raw()
    const rows = method === 'get' ? statement.get(...params) : statement.all(...params)
    return { rows: rows as any[] }
  }
  return {
    one,
    async many(queries) {
      const results: { rows: any[] }[] = []
      for (const each of queries) results.push(await one(each.sql, each.params, each.method))
      return results
    },
  }
}

export const ourSqlite: DriverUnderTest = ourSqliteIn('inline', "Keelson's SQLite")

export const ourSqliteThreads: DriverUnderTest = ourSqliteIn(
  'threads',
  "Keelson's SQLite on threads",
)

function ourSqliteIn(mode: 'inline' | 'threads', name: string): DriverUnderTest {
  return {
    ...sqlite,
    name,
    hasReaders: true,
    logs: undefined,
    open(options) {
      const db = sqliteDrizzle({
        connection: { path: temporaryFile(), mode, busyTimeoutMs: 1_000 },
        ...options,
      })
      onTestFinished(async () => void (await db.$client.close()))
      return db
    },
  }
}

export const ourDuckDB: DriverUnderTest = {
  name: "Keelson's DuckDB",
  kind: 'duckdb',
  hasPool: true,
  hasReaders: true,
  hasSavepoints: false,
  failsWhole: true,
  logs: undefined,
  open(options) {
    const db = duckdbDrizzle(temporaryFile('app.duckdb'), options)
    onTestFinished(async () => void (await db.$client.close()))
    return db
  },
}

/** What a test does with a database, in one word each. */
export interface Opened {
  readonly db: Db
  readonly table: typeof item
  /** Inserts by plain `db`, or by a handle. */
  add(name: string, on?: Db): Promise<void>
  /** All names, in their order, by plain `db`, or by a handle. */
  names(on?: Db): Promise<string>
  execute(text: string, on?: Db): Promise<unknown>
  /** The statements that the logger was told of since the last call. */
  sent(): string[]
}

/** Opens a new database with the table `item`, whose names are unique. */
export async function open(
  driver: DriverUnderTest,
  options: TransactionDefaults = {},
): Promise<Opened> {
  const statements: string[] = []
  const table = tables[driver.kind] as typeof item
  const itemRelations = relations(table, () => ({}))
  const db = withTransactions(
    await driver.open({
      logger: { logQuery: (query) => void statements.push(query) },
      schema: { item: table, itemRelations },
    }),
    options,
  )
  const execute = (text: string, on: Db = db): Promise<unknown> =>
    driver.kind === 'sqlite' ? on.run(sql.raw(text)) : on.execute(sql.raw(text))
  await execute('drop table if exists item')
  await execute('create table item (name varchar(700) not null unique)')
  statements.length = 0
  return {
    db,
    table,
    execute,
    async add(name, on = db) {
      await on.insert(table).values({ name })
    },
    async names(on = db) {
      const rows: { name: string }[] = await on.select().from(table).orderBy(table.name)
      return rows.map(({ name }) => name).join()
    },
    sent: () => statements.splice(0),
  }
}

/** The outcome of each promise: what it resolved to, or the name of its error. */
export async function outcomes(promises: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(promises)
  return settled.map((each) =>
    each.status === 'fulfilled' ? each.value : (each.reason as Error).name,
  )
}

/** Lets others go first. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}

/** The engine's own words, also behind Drizzle's wrapping. */
export function engineMessage(error: unknown): string {
  const { cause, message } = error as { cause?: unknown; message: string }
  return cause === undefined ? message : engineMessage(cause)
}
