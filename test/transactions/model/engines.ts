import type { PGlite } from '@electric-sql/pglite'
import { openDuckDB } from '@keelson/duckdb'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { openSqlite } from '@keelson/sqlite'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { type TransactionDefaults, withTransactions } from '@keelson/transactions/kysely'
import Database from 'better-sqlite3'
import {
  type Dialect,
  type Driver,
  Kysely,
  MysqlDialect,
  PGliteDialect,
  PostgresDialect,
  SqliteDialect as KyselySqliteDialect,
} from 'kysely'
import { createPool } from 'mysql2'
import { createPool as createPromisePool } from 'mysql2/promise'
import { Pool, type PoolClient } from 'pg'
import { describe, expect, onTestFinished } from 'vitest'
import { createMysqlDatabase, hasMysql } from '../../support/mysql.ts'
import { postgres } from '../../support/postgres.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { emptyPGlite } from '../../support/pglite.ts'

export interface Tables {
  item: { name: string }
}

/** A row that is always there, for statements that are to fail. */
export const taken = 'taken'

/** A database below Kysely, and who looks at it from outside. */
export interface Opened {
  readonly db: Kysely<Tables>
  /** The names that begin with a prefix, in their order, as somebody else sees them. */
  names(prefix: string): Promise<string[]>
  /** Fails unless each connection is back where it came from, and outside of any transaction. */
  assertIdle(): Promise<void>
  /** Runs a statement beside Kysely. */
  run(sql: string): Promise<unknown>
  /** PostgreSQL: cuts off the connection that was acquired last, from either side. */
  readonly cut?: Readonly<Record<'kill' | 'destroy', () => Promise<void>>>
}

export interface OpenOptions extends TransactionDefaults {
  /** Puts something between `withTransactions()` and the driver. */
  readonly decorate?: (dialect: Dialect) => Dialect
}

/** What of transactions an engine has, as far as it decides what becomes of a program. */
export interface ModelEngine {
  readonly name: string
  /** As part of a file name. */
  readonly id: string
  readonly kind: 'sqlite' | 'postgresql' | 'mysql' | 'duckdb'
  /** Its server is not everywhere: its tests are listed as skipped. */
  readonly isMissing?: boolean
  readonly hasSavepoints: boolean
  /** A failed statement fails everything up to the savepoint it is in. */
  readonly failsWhole: boolean
  /** A second transaction that writes can be open beside the first. */
  readonly hasSecondConnection: boolean
  open(options?: OpenOptions): Promise<Opened>
}

const table = `create table item (name varchar(99) primary key)`
const seedRow = `insert into item values ('${taken}')`

export const sqliteOurs: ModelEngine = {
  name: "Keelson's SQLite",
  id: 'sqlite',
  kind: 'sqlite',
  hasSavepoints: true,
  failsWhole: false,
  hasSecondConnection: false,
  open: (options) => openOurs('inline', options),
}

const sqliteThreads: ModelEngine = {
  ...sqliteOurs,
  name: "Keelson's SQLite on threads",
  id: 'sqlite-threads',
  open: (options) => openOurs('threads', options),
}

async function openOurs(
  mode: 'inline' | 'threads',
  options: OpenOptions | undefined,
): Promise<Opened> {
  const path = temporaryFile('app.db')
  const database = openSqlite({ path, mode, busyTimeoutMs: 5_000 })
  onTestFinished(async () => void (await database.close({ deadlineMs: 0 })))
  await database.execute(table)
  await database.execute(seedRow)
  // Another connection: it sees what is committed, and can write only when nobody holds the lock.
  const outside = new Database(path, { timeout: 0 })
  onTestFinished(() => void outside.close())
  return {
    db: connect(new SqliteDialect({ database }), options),
    names: async (prefix) => namesIn(outside, prefix),
    assertIdle: async () => void outside.exec('begin immediate; rollback'),
    run: (statement) => database.execute(statement),
  }
}

export const sqliteKysely: ModelEngine = {
  ...sqliteOurs,
  name: "Kysely's SQLite",
  id: 'kysely-sqlite',
  async open(options) {
    const path = temporaryFile('app.db')
    const raw = new Database(path)
    raw.pragma('journal_mode = wal')
    raw.exec(table)
    raw.exec(seedRow)
    const outside = new Database(path, { timeout: 0 })
    onTestFinished(() => void outside.close())
    return {
      db: connect(new KyselySqliteDialect({ database: raw }), options),
      names: async (prefix) => namesIn(outside, prefix),
      assertIdle: async () => expect(raw.inTransaction).toBe(false),
      run: async (statement) => raw.exec(statement),
    }
  },
}

const pglite: ModelEngine = {
  name: 'PGlite',
  id: 'pglite',
  kind: 'postgresql',
  hasSavepoints: true,
  failsWhole: true,
  hasSecondConnection: false,
  async open(options) {
    const lite = idlePGlites.pop() ?? emptyPGlite()
    onTestFinished(() => void idlePGlites.push(lite))
    await lite.exec(`drop table if exists item; ${table}; ${seedRow}`)
    return {
      db: connect(new KeptPGliteDialect({ pglite: lite }), options),
      async names(prefix) {
        const query = 'select name from item where name like $1 order by name collate "C"'
        const { rows } = await lite.query<{ name: string }>(query, [`${prefix}%`])
        return rows.map(({ name }) => name)
      },
      // A savepoint can be set only inside a transaction.
      assertIdle: () => expect(lite.exec('savepoint a')).rejects.toMatchObject({ code: '25P01' }),
      run: (statement) => lite.exec(statement),
    }
  },
}

/** Starting one takes more than a second, so the tests of a file take turns. */
const idlePGlites: PGlite[] = []

class KeptPGliteDialect extends PGliteDialect {
  override createDriver(): Driver {
    return Object.defineProperty(super.createDriver(), 'destroy', { value: async () => {} })
  }
}

const postgresql: ModelEngine = {
  ...pglite,
  name: 'PostgreSQL',
  id: 'postgresql',
  hasSecondConnection: true,
  async open(options) {
    const { createDatabase } = await postgres()
    const connectionString = await createDatabase()
    const outside = new Pool({ connectionString, max: 1 })
    onTestFinished(() => outside.end())
    await outside.query(`${table}; ${seedRow}`)
    const pool = new Pool({ connectionString, max: 5 })
    // What happens to idle connections is the pool's, and its owner's, to hear.
    pool.on('error', () => {})
    let last: PoolClient | undefined
    pool.on('acquire', (client) => (last = client))
    return {
      db: connect(new PostgresDialect({ pool }), options),
      cut: {
        async kill() {
          await outside.query('select pg_terminate_backend($1, 5000)', [wireOf(last!).processID])
        },
        async destroy() {
          wireOf(last!).connection.stream.destroy()
        },
      },
      async names(prefix) {
        const query = 'select name from item where name like $1 order by name collate "C"'
        const { rows } = await outside.query<{ name: string }>(query, [`${prefix}%`])
        return rows.map(({ name }) => name)
      },
      async assertIdle() {
        expect(pool.waitingCount).toBe(0)
        expect(pool.idleCount).toBe(pool.totalCount)
        const { rows } = await outside.query(
          `select state, query from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and state <> 'idle'`,
        )
        expect(rows).toEqual([])
      },
      run: (statement) => outside.query(statement),
    }
  },
}

const mysql: ModelEngine = {
  name: 'MySQL',
  id: 'mysql',
  kind: 'mysql',
  isMissing: !hasMysql,
  hasSavepoints: true,
  failsWhole: false,
  hasSecondConnection: true,
  async open(options) {
    const uri = await createMysqlDatabase()
    const outside = createPromisePool({ uri, connectionLimit: 1 })
    onTestFinished(() => outside.end())
    await outside.query(table)
    await outside.query(seedRow)
    const pool = createPool({ uri, connectionLimit: 5 })
    const ids = new Set<number>()
    pool.on('connection', ({ threadId }) => void ids.add(threadId))
    return {
      db: connect(new MysqlDialect({ pool }), options),
      async names(prefix) {
        const query = 'select name from item where name like ? order by binary name'
        const [rows] = await outside.query(query, [`${prefix}%`])
        return (rows as { name: string }[]).map(({ name }) => name)
      },
      async assertIdle() {
        const [rows] = await outside.query(
          'select trx_mysql_thread_id as id, trx_query from information_schema.innodb_trx',
        )
        expect((rows as { id: number }[]).filter(({ id }) => ids.has(id))).toEqual([])
      },
      run: (statement) => outside.query(statement),
    }
  },
}

const duckdb: ModelEngine = {
  name: 'DuckDB',
  id: 'duckdb',
  kind: 'duckdb',
  hasSavepoints: false,
  failsWhole: true,
  hasSecondConnection: true,
  async open(options = {}) {
    const database = await openDuckDB({ path: ':memory:' })
    onTestFinished(async () => void (await database.close({ deadlineMs: 0 })))
    await database.execute(table)
    await database.execute(seedRow)
    const defaults = { propagation: 'required', ...options.defaults } as const
    return {
      db: connect(new DuckDBDialect({ database }), { ...options, defaults }),
      async names(prefix) {
        const query = 'select name from item where name like $1 order by name'
        const { rows } = await database.execute<{ name: string }>(query, [`${prefix}%`])
        return rows.map(({ name }) => name)
      },
      assertIdle: async () => expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0 }),
      run: (statement) => database.execute(statement),
    }
  },
}

export const engines: readonly ModelEngine[] = [
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
  several: readonly ModelEngine[],
  suite: (engine: ModelEngine) => void,
): void {
  for (const engine of several)
    describe.skipIf(engine.isMissing === true)(`on ${engine.name}`, () => suite(engine))
}

/** What `pg` does not document. */
interface Wire {
  readonly processID: number
  readonly connection: { readonly stream: { destroy(): void } }
}

function wireOf(client: PoolClient): Wire {
  return client as unknown as Wire
}

function connect(dialect: Dialect, { decorate, ...options }: OpenOptions = {}): Kysely<Tables> {
  const decorated = decorate === undefined ? dialect : decorate(dialect)
  const db = new Kysely<Tables>({ dialect: withTransactions(decorated, options) })
  onTestFinished(() => db.destroy())
  return db
}

function namesIn(outside: Database.Database, prefix: string): string[] {
  const query = outside.prepare('select name from item where name like ? order by name').pluck()
  return query.all(`${prefix}%`) as string[]
}
