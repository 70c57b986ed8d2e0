import type { PGlite } from '@electric-sql/pglite'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import type { TransactionDefaults } from '@keelson/transactions/kysely'
import { withTransactions } from '@keelson/transactions/kysely'
import Database from 'better-sqlite3'
import {
  type Dialect,
  type Driver,
  type Generated,
  Kysely,
  type KyselyConfig,
  MysqlDialect,
  PGliteDialect,
  PostgresDialect,
  SqliteDialect as KyselySqliteDialect,
  sql,
} from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import Cursor from 'pg-cursor'
import { describe, onTestFinished } from 'vitest'
import { createMysqlDatabase, hasMysql } from '../../support/mysql.ts'
import { postgres } from '../../support/postgres.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { emptyPGlite } from '../../support/pglite.ts'

export interface Tables {
  item: { id: Generated<number>; name: string }
}

/** An engine and driver below Kysely, and what of transactions they have. */
export interface KyselyEngine {
  readonly name: string
  readonly kind: 'sqlite' | 'postgresql' | 'mysql' | 'duckdb'
  /** Its server is not everywhere: its tests are listed as skipped. */
  readonly isMissing?: boolean
  /** Several transactions can be open at once. */
  readonly hasPool: boolean
  readonly hasSavepoints: boolean
  /** A failed statement fails the transaction, or the savepoint it is in. */
  readonly failsWhole: boolean
  readonly begin: string
  /** What ends a savepoint on the way back, before its name. */
  dialect(): Promise<Dialect>
}

export const sqliteOurs: KyselyEngine = {
  name: "Keelson's SQLite",
  kind: 'sqlite',
  hasPool: false,
  hasSavepoints: true,
  failsWhole: false,
  begin: 'begin immediate',
  dialect: async () => new SqliteDialect({ path: temporaryFile('app.db'), busyTimeoutMs: 1_000 }),
}

const sqliteThreads: KyselyEngine = {
  ...sqliteOurs,
  name: "Keelson's SQLite on threads",
  dialect: async () =>
    new SqliteDialect({ path: temporaryFile('app.db'), mode: 'threads', busyTimeoutMs: 1_000 }),
}

export const sqliteKysely: KyselyEngine = {
  ...sqliteOurs,
  name: "Kysely's SQLite",
  dialect: async () => new KyselySqliteDialect({ database: new Database(':memory:') }),
}

export const pglite: KyselyEngine = {
  name: 'PGlite',
  kind: 'postgresql',
  hasPool: false,
  hasSavepoints: true,
  failsWhole: true,
  begin: 'begin',
  dialect: async () => {
    const pglite = idlePGlites.pop() ?? emptyPGlite()
    onTestFinished(() => void idlePGlites.push(pglite))
    return new KeptPGliteDialect({ pglite })
  },
}

/** Starting one takes more than a second, so the tests of a file take turns. */
const idlePGlites: PGlite[] = []

class KeptPGliteDialect extends PGliteDialect {
  override createDriver(): Driver {
    return Object.defineProperty(super.createDriver(), 'destroy', { value: async () => {} })
  }
}

export const postgresql: KyselyEngine = {
  ...pglite,
  name: 'PostgreSQL',
  hasPool: true,
  dialect: async () => {
    const { createDatabase } = await postgres()
    const pool = new Pool({ connectionString: await createDatabase(), max: 5 })
    return new PostgresDialect({ pool, cursor: Cursor })
  },
}

export const duckdb: KyselyEngine = {
  name: 'DuckDB',
  kind: 'duckdb',
  hasPool: true,
  hasSavepoints: false,
  failsWhole: true,
  begin: 'begin transaction',
  dialect: async () => new DuckDBDialect({ path: temporaryFile('app.duckdb') }),
}

export const mysql: KyselyEngine = {
  name: 'MySQL',
  kind: 'mysql',
  isMissing: !hasMysql,
  hasPool: true,
  hasSavepoints: true,
  failsWhole: false,
  begin: 'begin',
  dialect: async () =>
    new MysqlDialect({
      pool: createPool({ uri: await createMysqlDatabase(), connectionLimit: 5 }),
    }),
}

export const engines: readonly KyselyEngine[] = [
  sqliteOurs,
  sqliteThreads,
  sqliteKysely,
  pglite,
  postgresql,
  mysql,
  duckdb,
]

/** The same for each of several engines. */
export function describeOn(
  several: readonly KyselyEngine[],
  name: string,
  suite: (engine: KyselyEngine) => void,
): void {
  for (const engine of several) {
    describe.skipIf(engine.isMissing === true)(`${name} on ${engine.name}`, () => suite(engine))
  }
}

/** What a test does with a database, in one word each. */
export interface Opened {
  readonly db: Kysely<Tables>
  /** Inserts by plain `db`, or by a handle. */
  add(name: string, on?: Kysely<Tables>): Promise<void>
  /** All names, in their order, by plain `db`. */
  names(): Promise<string>
  /** The statements sent since the last call, control statements included. */
  sent(): string[]
}

/** Makes an empty table `item`, whose names are unique. */
export async function createItems(db: Kysely<Tables>, { kind }: KyselyEngine): Promise<void> {
  const id = {
    sqlite: 'integer primary key',
    postgresql: 'serial primary key',
    mysql: 'serial primary key',
    duckdb: 'integer',
  }
  await sql`drop table if exists item`.execute(db)
  await sql`create table item (id ${sql.raw(id[kind])}, name varchar(700) unique)`.execute(db)
}

/** Opens a new database with the table `item`, whose names are unique. */
export async function open(
  engine: KyselyEngine,
  options: TransactionDefaults & Pick<KyselyConfig, 'plugins'> = {},
): Promise<Opened> {
  const statements: string[] = []
  const { plugins = [], ...defaults } = options
  const db = new Kysely<Tables>({
    dialect: withTransactions(await engine.dialect(), defaults),
    plugins,
    log: ({ query }) => void statements.push(query.sql),
  })
  onTestFinished(() => db.destroy())
  await createItems(db, engine)
  statements.length = 0
  return {
    db,
    async add(name, on = db) {
      await on.insertInto('item').values({ name }).execute()
    },
    async names() {
      const rows = await db.selectFrom('item').select('name').orderBy('name').execute()
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
