import {
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
} from 'kysely'
import { SqliteAdapter } from './sqlite-adapter.ts'
import { checkConfig, type SqliteDialectConfig } from './sqlite-dialect-config.ts'
import { SqliteDriver } from './sqlite-driver.ts'

/**
 * SQLite for Kysely: async transactions that begin `IMMEDIATE`, savepoints, streams in chunks, exact counts and ids,
 * migrations that lock and cannot delete rows by rebuilding a table.
 *
 * SQLite runs on the calling thread: the event loop stands still while a statement runs, but not while it waits for a
 * lock. One transaction writes at a time; every other writer waits for it, `busyTimeoutMs` at most, and reads go on
 * meanwhile on connections of their own. Isolation is always `serializable`; another level is refused.
 *
 * Nothing is opened before the first query; an opening that failed is tried again by the next query. `db.destroy()`
 * closes what the dialect opened from `path`, and leaves a `database` that was handed in alone. Each `Kysely` made with
 * one dialect opens `path` for itself.
 *
 * @throws {OptionError} when an option is unknown or impossible
 *
 * @example
 * const db = new Kysely<Database>({ dialect: new SqliteDialect({ path: 'app.db' }) })
 *
 * await db.transaction().execute(async (trx) => {
 *   await trx.insertInto('account').values({ id: 1, balance: 10 }).execute()
 * })
 * // begin immediate
 * // insert into "account" ("id", "balance") values (?, ?)
 * // commit
 *
 * @example
 * const database = openSqlite({ path: 'app.db' }) // shared with Drizzle, and closed by you
 * const db = new Kysely<Database>({ dialect: new SqliteDialect({ database }) })
 */
export class SqliteDialect implements Dialect {
  readonly #config: SqliteDialectConfig

  constructor(config: SqliteDialectConfig) {
    this.#config = checkConfig(config)
  }

  createDriver(): Driver {
    return new SqliteDriver(this.#config)
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler()
  }

  createAdapter(): DialectAdapter {
    return new SqliteAdapter()
  }

  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return new SqliteIntrospector(db)
  }
}
