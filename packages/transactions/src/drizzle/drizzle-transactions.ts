import { databaseFor, type TransactionDatabase } from '../database.ts'
import { NotWrappedError } from '../errors.ts'
import type { TransactionOptions } from '../options.ts'
import type { Root } from '../scope/root.ts'
import type { Scope } from '../scope/scope.ts'
import type { Binding, DrizzleLine, TransactionDriver } from './driver.ts'
import type { DrizzleDatabase, DrizzleSession } from './internals.ts'

/** Among the layers of a database. */
export const layerName = 'transactions'
export const transactionsRank = 10

/** What one Drizzle database with `withTransactions()` keeps. */
export class DrizzleTransactions {
  readonly db: DrizzleDatabase
  /** That of the database itself. */
  readonly session: DrizzleSession
  readonly driver: TransactionDriver
  readonly database: TransactionDatabase
  readonly defaults: TransactionOptions
  readonly #bound = new WeakMap<Root, Binding>()
  /** The scopes of handles, by their sessions. */
  readonly #scopes = new WeakMap<object, Scope>()

  constructor(
    db: DrizzleDatabase,
    session: DrizzleSession,
    driver: TransactionDriver,
    defaults: TransactionOptions,
  ) {
    this.db = db
    this.session = session
    this.driver = driver
    this.defaults = defaults
    this.database = databaseFor(driver.key)
  }

  /** The scope of a handle, by its session. */
  scopeOf(session: object): Scope | undefined {
    return this.#scopes.get(session)
  }

  /** How this database speaks in a transaction, also in one that another ORM has begun. */
  bindingOf(scope: Scope): Binding {
    return this.#bound.get(scope.root) ?? this.#bind(scope)
  }

  /** The handle of a scope. */
  handle(scope: Scope, define: (handle: DrizzleDatabase) => void): DrizzleDatabase {
    const handle = this.bindingOf(scope).handle(scope.depth)
    this.#scopes.set(handle.session, scope)
    define(handle)
    return handle
  }

  #bind(scope: Scope): Binding {
    const binding = this.driver.bind(scope.root.line as DrizzleLine)
    if (binding === undefined) throw new NotWrappedError(notJoinable)
    return this.#keep(scope, binding)
  }

  #keep(scope: Scope, binding: Binding): Binding {
    this.#bound.set(scope.root, binding)
    if (binding.committed !== undefined) {
      let outermost = scope
      while (outermost.parent !== undefined) outermost = outermost.parent
      outermost.hooks.add('afterCommit', () => binding.committed!())
    }
    return binding
  }
}

const notJoinable =
  'A query inside a transaction that another ORM has begun on the same database cannot join it: the two do not stand on ' +
  'the same driver. Give both the database of one openSqlite() or openDuckDB(). Nothing was sent.'
