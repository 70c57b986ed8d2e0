/** Over 300 lines, being one subject: the databases under test, each under the same few words. */
import { mkdtempSync, rmSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import * as onDrizzle from '@keelson/bulk-insert/drizzle'
import type { BulkInsertReport, CommonOptions } from '@keelson/bulk-insert/kysely'
import * as onKysely from '@keelson/bulk-insert/kysely'
import { drizzle as duckdbDrizzle } from '@keelson/duckdb/drizzle'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import * as drizzleTransactions from '@keelson/transactions/drizzle'
import * as kyselyTransactions from '@keelson/transactions/kysely'
import { createClient } from '@libsql/client'
import BetterSqlite3 from 'better-sqlite3'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { drizzle as libsqlDrizzle } from 'drizzle-orm/libsql'
import * as my from 'drizzle-orm/mysql-core'
import { drizzle as mysql2Drizzle } from 'drizzle-orm/mysql2'
import { drizzle as nodePostgresDrizzle } from 'drizzle-orm/node-postgres'
import * as pg from 'drizzle-orm/pg-core'
import type { PgDatabase } from 'drizzle-orm/pg-core'
import { drizzle as pgliteDrizzle } from 'drizzle-orm/pglite'
import { drizzle as postgresJsDrizzle } from 'drizzle-orm/postgres-js'
import * as lite from 'drizzle-orm/sqlite-core'
import {
  type Dialect,
  Kysely,
  MysqlDialect,
  PGliteDialect,
  PostgresDialect,
  sql as kyselySql,
  SqliteDialect as KyselySqliteDialect,
} from 'kysely'
import { createPool } from 'mysql2'
import { createPool as createPromisePool } from 'mysql2/promise'
import { Pool } from 'pg'
import postgresJs from 'postgres'
import { afterAll, beforeAll, describe } from 'vitest'
import { hasMysql, runOnServer } from '../support/mysql.ts'
import { postgres } from '../support/postgres.ts'
import { emptyPGlite } from '../support/pglite.ts'

export type Kind = 'sqlite' | 'postgresql' | 'mysql' | 'duckdb'

/** Types that every engine has. */
export type ColumnType = 'int' | 'text' | 'real'

/** A table of portable types. What follows a type is SQL: `'int primary key'`. */
export interface TableSpec {
  readonly columns: Readonly<Record<string, string>>
  /** Constraints of the table. */
  readonly constraints?: readonly string[]
}

/** An ORM's database and table; the suites run on databases whose types have little in common. */
export type Db = any
export type Table = any
export type Row = Record<string, any>
export type Options = CommonOptions<any> & {
  readonly onConflict?: unknown
  readonly returning?: readonly string[] | undefined
  readonly onReturned?:
    | ((rows: readonly Row[], info: { firstIndex: number }) => unknown)
    | undefined
}

/** An engine, a driver and an ORM. */
export interface Pair {
  readonly name: string
  readonly orm: 'kysely' | 'drizzle'
  readonly kind: Kind
  /** Its server is not everywhere: its tests are listed as skipped. */
  readonly isMissing: boolean
  /** The driver answers at once, so that its transactions take rows from what can be read at once. */
  readonly isSync: boolean
  /** The driver is one of Keelson's. */
  readonly isOurs: boolean
  /** Its transactions are ambient. */
  readonly isAmbient?: boolean
  open(isAmbient?: boolean): Promise<{ readonly db: Db; close(): Promise<unknown> }>
}

/** What of an engine decides what a bulk insert does. */
export interface Traits {
  /** It takes the rows of a statement as a set, and cannot decide between two of one key. */
  readonly asSet: boolean
  readonly hasReturning: boolean
  readonly hasSavepoints: boolean
  /** Rows can be left out of one transaction. */
  readonly leavesOut: boolean
  /** A conflict's target is one of several unique keys, and updates may be conditional. */
  readonly hasTarget: boolean
}

export const traits: Readonly<Record<Kind, Traits>> = {
  sqlite: {
    asSet: false,
    hasReturning: true,
    hasSavepoints: true,
    leavesOut: true,
    hasTarget: true,
  },
  postgresql: {
    asSet: true,
    hasReturning: true,
    hasSavepoints: true,
    leavesOut: true,
    hasTarget: true,
  },
  mysql: {
    asSet: false,
    hasReturning: false,
    hasSavepoints: true,
    leavesOut: true,
    hasTarget: false,
  },
  duckdb: {
    asSet: true,
    hasReturning: true,
    hasSavepoints: false,
    leavesOut: false,
    hasTarget: true,
  },
}

/** One PGlite for a file: starting one takes more than a second. */
let pglite: PGlite | undefined

async function mysqlDatabase(): Promise<{ readonly uri: string; drop(): Promise<void> }> {
  const url = new URL(process.env['KEELSON_MYSQL_URL']!)
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await runOnServer(`create database \`${name}\` character set utf8mb4`)
  url.pathname = name
  return { uri: url.href, drop: () => runOnServer(`drop database \`${name}\``) }
}

/** A database that is no longer there when it is dropped. */
function newFile(): { readonly path: string; drop(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-bulk-'))
  return {
    path: join(directory, 'app.db'),
    drop: () => rmSync(directory, { recursive: true, force: true }),
  }
}

const dialects: Readonly<
  Record<string, readonly [Kind, () => Promise<Dialect | [Dialect, () => unknown]>]>
> = {
  "Keelson's SQLite": ['sqlite', async () => new SqliteDialect({ path: ':memory:' })],
  "Keelson's SQLite on threads": [
    'sqlite',
    async () => {
      const { path, drop } = newFile()
      return [new SqliteDialect({ path, mode: 'threads' }), drop]
    },
  ],
  "Kysely's SQLite": [
    'sqlite',
    async () => new KyselySqliteDialect({ database: new BetterSqlite3(':memory:') }),
  ],
  PGlite: [
    'postgresql',
    async () => {
      pglite ??= emptyPGlite()
      return new PGliteDialect({ pglite })
    },
  ],
  PostgreSQL: [
    'postgresql',
    async () => {
      const { createDatabase } = await postgres()
      return new PostgresDialect({
        pool: new Pool({ connectionString: await createDatabase(), max: 3 }),
      })
    },
  ],
  MySQL: [
    'mysql',
    async () => {
      const { uri, drop } = await mysqlDatabase()
      return [new MysqlDialect({ pool: createPool({ uri, connectionLimit: 3 }) }), drop]
    },
  ],
  "Keelson's DuckDB": ['duckdb', async () => new DuckDBDialect({ path: ':memory:' })],
}

const kyselyPairs = Object.entries(dialects).map(([name, [kind, dialect]]): Pair => ({
  name: `Kysely, ${name}`,
  orm: 'kysely',
  kind,
  isMissing: kind === 'mysql' && !hasMysql,
  isSync: false,
  isOurs: name.startsWith('Keelson'),
  async open(isAmbient = false) {
    const made = await dialect()
    const [own, after] = Array.isArray(made) ? made : [made, undefined]
    const db = new Kysely<any>({
      dialect: isAmbient ? kyselyTransactions.withTransactions(own) : own,
    })
    return {
      db,
      async close() {
        if (name !== 'PGlite') await db.destroy()
        await after?.()
      },
    }
  },
}))

type Opened = Awaited<ReturnType<Pair['open']>>
const drivers: Readonly<Record<string, readonly [Kind, () => Promise<Opened> | Opened]>> = {
  "Keelson's SQLite": [
    'sqlite',
    () => {
      const db = sqliteDrizzle(':memory:')
      return { db, close: async () => db.$client.close() }
    },
  ],
  "Keelson's SQLite on threads": [
    'sqlite',
    () => {
      const { path, drop } = newFile()
      const db = sqliteDrizzle({ connection: { path, mode: 'threads' } })
      return { db, close: () => db.$client.close().finally(drop) }
    },
  ],
  'better-sqlite3': [
    'sqlite',
    () => {
      const client = new BetterSqlite3(':memory:')
      return { db: betterSqlite3Drizzle(client), close: async () => client.close() }
    },
  ],
  libsql: [
    'sqlite',
    () => {
      // One in memory is lost with its first transaction: https://github.com/tursodatabase/libsql-client-ts/issues/229
      const directory = mkdtempSync(join(tmpdir(), 'keelson-'))
      const client = createClient({ url: `file:${join(directory, 'test.db')}` })
      return {
        db: libsqlDrizzle(client),
        async close() {
          client.close()
          rmSync(directory, { recursive: true, force: true })
        },
      }
    },
  ],
  PGlite: [
    'postgresql',
    async () => {
      pglite ??= emptyPGlite()
      return { db: pgliteDrizzle(pglite), close: async () => {} }
    },
  ],
  'node-postgres': [
    'postgresql',
    async () => {
      const { createDatabase } = await postgres()
      const pool = new Pool({ connectionString: await createDatabase(), max: 3 })
      return { db: nodePostgresDrizzle(pool), close: () => pool.end() }
    },
  ],
  'postgres.js': [
    'postgresql',
    async () => {
      const { createDatabase } = await postgres()
      const client = postgresJs(await createDatabase(), { max: 3, onnotice: () => {} })
      return { db: postgresJsDrizzle(client), close: () => client.end() }
    },
  ],
  mysql2: [
    'mysql',
    async () => {
      const { uri, drop } = await mysqlDatabase()
      const pool = createPromisePool({ uri, connectionLimit: 3 })
      return {
        db: mysql2Drizzle(pool, { mode: 'default' }),
        async close() {
          await pool.end()
          await drop()
        },
      }
    },
  ],
  "Keelson's DuckDB": [
    'duckdb',
    () => {
      const db = duckdbDrizzle(':memory:')
      return { db, close: async () => db.$client.close() }
    },
  ],
}

const drizzlePairs = Object.entries(drivers).map(([name, [kind, open]]): Pair => ({
  name: `Drizzle, ${name}`,
  orm: 'drizzle',
  kind,
  isMissing: kind === 'mysql' && !hasMysql,
  isSync: name === 'better-sqlite3',
  isOurs: name.startsWith('Keelson'),
  async open(isAmbient = false) {
    const opened = await open()
    return isAmbient ? { ...opened, db: drizzleTransactions.withTransactions(opened.db) } : opened
  },
}))

const selected = process.env['PAIRS']

/** All of them, or those whose names contain what `PAIRS` in the environment says. */
export const pairs: readonly Pair[] = [...kyselyPairs, ...drizzlePairs].filter(
  ({ name }) => selected === undefined || name.includes(selected),
)

/** The same, with ambient transactions. */
export function ambient(pair: Pair): Pair {
  return { ...pair, isAmbient: true }
}

/** What a test does with a database, in one word each. */
export class Database {
  readonly pair: Pair
  readonly db: Db
  readonly traits: Traits

  constructor(pair: Pair, db: Db) {
    this.pair = pair
    this.db = db
    this.traits = traits[pair.kind]
  }

  /** Where the types of Kysely's are needed. */
  get kysely(): Kysely<any> {
    return this.db
  }

  /** Calls `bulkInsert()` of the ORM. */
  bulk(
    table: Table,
    rows: unknown,
    options: Options = {},
    on: Db = this.db,
  ): Promise<BulkInsertReport> {
    return this.pair.orm === 'kysely'
      ? onKysely.bulkInsert(on as Kysely<any>, table as string, rows as never, options as never)
      : onDrizzle.bulkInsert(on, table, rows as never, options as never)
  }

  /** Creates a table anew, and returns what the ORM knows it by. */
  async create(name: string, { columns, constraints = [] }: TableSpec): Promise<Table> {
    const quoted = this.quote(name)
    const parts = Object.entries(columns).map(([key, text]) => {
      const [type, ...rest] = text.split(' ') as [ColumnType, ...string[]]
      return [this.quote(key), types[this.pair.kind][type], ...rest].join(' ')
    })
    await this.exec(`drop table if exists ${quoted}`)
    await this.exec(`create table ${quoted} (${[...parts, ...constraints].join(', ')})`)
    return this.table(name, columns)
  }

  /** What the ORM knows a table by that is there. */
  table(name: string, columns: TableSpec['columns']): Table {
    if (this.pair.orm === 'kysely') return name
    return drizzleTables[this.pair.kind](name, columns)
  }

  quote(name: string): string {
    return this.pair.kind === 'mysql' ? `\`${name}\`` : `"${name.replaceAll('"', '""')}"`
  }

  /** Runs a statement that returns no rows. */
  async exec(text: string, on: Db = this.db): Promise<void> {
    if (this.pair.orm === 'kysely') await kyselySql.raw(text).execute(on)
    else if (this.pair.kind === 'sqlite') await on.run(drizzleSql.raw(text))
    else await on.execute(drizzleSql.raw(text))
  }

  async rows(text: string, on: Db = this.db): Promise<Row[]> {
    if (this.pair.orm === 'kysely') {
      const { rows } = await kyselySql.raw(text).execute(on)
      return rows as Row[]
    }
    if (this.pair.kind === 'sqlite') return on.all(drizzleSql.raw(text))
    const result = await on.execute(drizzleSql.raw(text))
    if (this.pair.kind === 'mysql') return result[0]
    return Array.isArray(result) ? [...result] : result.rows
  }

  /** The table's rows as arrays, in the order of the first column. */
  async all(name: string, order = '1', on: Db = this.db): Promise<unknown[][]> {
    const rows = await this.rows(`select * from ${this.quote(name)} order by ${order}`, on)
    return rows.map((row) => Object.values(row))
  }

  async count(name: string, on: Db = this.db): Promise<number> {
    const [row] = await this.rows(`select count(*) as n from ${this.quote(name)}`, on)
    return Number(row!['n'])
  }

  /** Runs `fn` in a transaction of the ORM's own. */
  transaction<R>(fn: (handle: Db) => Promise<R>, on: Db = this.db): Promise<R> {
    return this.pair.orm === 'kysely' ? on.transaction().execute(fn) : on.transaction(fn)
  }

  /** Runs `fn` in an ambient transaction; the database is a wrapped one. */
  async ambient(fn: () => Promise<void>): Promise<void> {
    if (this.pair.orm === 'kysely') await kyselyTransactions.transaction(this.db, fn)
    else await drizzleTransactions.transaction(this.db as PgDatabase<any>, fn)
  }

  /** Whether the code around is in an ambient transaction. */
  isInTransaction(): boolean {
    return this.pair.orm === 'kysely'
      ? kyselyTransactions.inTransaction(this.db)
      : drizzleTransactions.inTransaction(this.db as never)
  }

  /** SQL as a value. */
  sql(text: string): unknown {
    return this.pair.orm === 'kysely' ? kyselySql.raw(text) : drizzleSql.raw(text)
  }

  /** SQL as a condition of `onConflict`. */
  condition(text: string): unknown {
    return this.pair.orm === 'kysely' ? kyselySql.raw(text) : drizzleSql.raw(text)
  }
}

const types: Readonly<Record<Kind, Readonly<Record<ColumnType, string>>>> = {
  sqlite: { int: 'integer', text: 'text', real: 'real' },
  postgresql: { int: 'integer', text: 'text', real: 'double precision' },
  duckdb: { int: 'integer', text: 'varchar', real: 'double' },
  mysql: { int: 'integer', text: 'varchar(400)', real: 'double' },
}

type Builders = Readonly<Record<ColumnType, (name: string) => any>>

const pgTypes: Builders = { int: pg.integer, text: pg.text, real: pg.doublePrecision }

const drizzleTables: Readonly<
  Record<Kind, (name: string, columns: TableSpec['columns']) => Table>
> = {
  sqlite: (name, columns) =>
    lite.sqliteTable(name, built(columns, { int: lite.integer, text: lite.text, real: lite.real })),
  postgresql: (name, columns) => pg.pgTable(name, built(columns, pgTypes)),
  duckdb: (name, columns) => pg.pgTable(name, built(columns, pgTypes)),
  mysql: (name, columns) =>
    my.mysqlTable(
      name,
      built(columns, {
        int: my.int,
        text: (key) => my.varchar(key, { length: 400 }),
        real: my.double,
      }),
    ),
}

function built(columns: TableSpec['columns'], builders: Builders): Record<string, any> {
  return Object.fromEntries(
    Object.entries(columns).map(([key, text]) => {
      const column = builders[text.split(' ')[0] as ColumnType](key)
      return [key, / generated /.test(text) ? column.generatedAlwaysAs('') : column]
    }),
  )
}

/** The same for each of several databases; each is opened once, and its tests create their tables anew. */
export function describeOn(
  several: readonly Pair[],
  name: string,
  suite: (database: () => Database, pair: Pair) => void,
): void {
  for (const pair of several) {
    describe.skipIf(pair.isMissing)(`${name} (${pair.name})`, () => {
      let database: Database
      let close: () => Promise<unknown>
      beforeAll(async () => {
        const opened = await pair.open(pair.isAmbient)
        close = opened.close
        database = new Database(pair, opened.db)
      })
      afterAll(() => close?.())
      suite(() => database, pair)
    })
  }
}
