import type {
  DatabaseIntrospector,
  Dialect,
  DialectAdapter,
  Driver,
  Kysely,
  QueryCompiler,
} from 'kysely'
import { DuckDBAdapter } from './duckdb-adapter.ts'
import { checkConfig, type DuckDBDialectConfig } from './duckdb-dialect-config.ts'
import { DuckDBDriver } from './duckdb-driver.ts'
import { DuckDBIntrospector } from './duckdb-introspector.ts'
import { DuckDBQueryCompiler } from './duckdb-query-compiler.ts'

/**
 * DuckDB for Kysely: a pool of connections, transactions that say so when they were not committed, streams that do not
 * end early unnoticed, exact counts, values without loss, migrations that lock.
 *
 * DuckDB works on threads of its own, and the event loop goes on meanwhile. Many transactions write at once; of two that
 * change the same row, or create the same table, the second fails with an error for which `describeError(error)` says
 * `retryable`: run it again. Isolation is always `snapshot`; another level is refused.
 *
 * DuckDB can undo no part of a transaction. A statement that fails dooms its transaction, also when its error is caught:
 * the commit throws `TransactionAbortedError`. There are no savepoints: `savepoint()` throws
 * `SavepointsNotSupportedError` and sends nothing.
 *
 * A plain query runs on any connection of the pool. What belongs to one connection (`SET`, `USE`, temporary tables)
 * needs `db.connection()` or a transaction, and is refused elsewhere. A `signal` interrupts its query, whatever
 * `inflightQueryAbortStrategy` says; in a transaction that dooms it.
 *
 * Nothing is opened before the first query; an opening that failed is tried again by the next query. `db.destroy()`
 * closes what the dialect opened from `path`, and leaves a `database` or `instance` that was handed in alone. All
 * `Kysely` instances of a process share one file's DuckDB instance; each one with `':memory:'` has its own.
 *
 * @throws {OptionError} when an option is unknown or impossible
 * @throws {DuckDBOpenError} when `path` cannot be one
 *
 * @example
 * const db = new Kysely<Database>({ dialect: new DuckDBDialect({ path: 'app.duckdb' }) })
 *
 * await db.transaction().execute(async (trx) => {
 *   await trx.insertInto('flight').values({ id: 1, origin: 'OSL' }).execute()
 * })
 * // begin transaction
 * // insert into "flight" ("id", "origin") values ($1, $2)
 * // commit
 *
 * @example
 * const database = await openDuckDB({ path: 'app.duckdb' }) // shared with Drizzle, and closed by you
 * const db = new Kysely<Database>({ dialect: new DuckDBDialect({ database }) })
 */
export class DuckDBDialect implements Dialect {
  readonly #config: DuckDBDialectConfig

  constructor(config: DuckDBDialectConfig) {
    this.#config = checkConfig(config)
  }

  createDriver(): Driver {
    return new DuckDBDriver(this.#config)
  }

  createQueryCompiler(): QueryCompiler {
    return new DuckDBQueryCompiler()
  }

  createAdapter(): DialectAdapter {
    return new DuckDBAdapter()
  }

  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return new DuckDBIntrospector(db)
  }
}
