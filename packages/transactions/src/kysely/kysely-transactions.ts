import type { EngineTraits } from '@keelson/core'
import { type DialectInstance, interceptConnection } from '@keelson/core/kysely'
import {
  type ConnectionProvider,
  type DatabaseConnection,
  type Driver,
  PGliteAdapter,
  PostgresDriver,
} from 'kysely'
import { databaseFor, type TransactionDatabase } from '../database.ts'
import { NotWrappedError } from '../errors.ts'
import type { TransactionOptions } from '../options.ts'
import type { Root } from '../scope/root.ts'
import { Acquiring } from './acquiring.ts'
import { engineOf } from './engine-of.ts'
import { InstanceDriver } from './instance-dialect.ts'
import { KyselyLine } from './kysely-line.ts'
import type { Loan } from './loan.ts'
import { type PostgresWatch, watchPostgres } from './postgres-watch.ts'
import { ScopedStatements } from './scoped-statements.ts'
import { connectionOn, sharedDatabaseOf } from './session-capabilities.ts'

/** Among the layers of a dialect. */
export const transactionsRank = 10
export const layerName = 'transactions'

/** What one `Kysely` instance with `withTransactions()` keeps. */
export class KyselyTransactions {
  readonly instance: DialectInstance
  readonly database: TransactionDatabase
  readonly defaults: TransactionOptions
  readonly acquiring: Acquiring
  /** One of our own drivers, whose connections tell more and are told more. */
  readonly isOwnDriver: boolean
  /** The latest loan of each connection. */
  readonly loans: WeakMap<DatabaseConnection, Loan> = new WeakMap()
  readonly #statements: ScopedStatements
  readonly #joined = new WeakMap<Root, DatabaseConnection>()
  readonly #watchesPostgres: boolean
  #traits: EngineTraits | undefined
  #broken: DatabaseConnection | undefined

  /** @param inner the driver below this layer */
  constructor(instance: DialectInstance, inner: Driver, defaults: TransactionOptions) {
    this.instance = instance
    this.defaults = defaults
    this.acquiring = new Acquiring(this, inner)
    const shared = sharedDatabaseOf(instance.baseDriver)
    this.database = databaseFor(shared ?? instance)
    this.isOwnDriver = 'engine' in instance.baseDriver
    this.#watchesPostgres = instance.baseDriver instanceof PostgresDriver
    this.#statements = new ScopedStatements(this)
  }

  get traits(): EngineTraits {
    return (this.#traits ??= engineOf(this.instance))
  }

  get isForeignSqlite(): boolean {
    return !this.isOwnDriver && this.traits.engine === 'sqlite'
  }

  /** BEGIN, COMMIT and ROLLBACK are sent as text. */
  get sendsControl(): boolean {
    return this.isForeignSqlite && !this.isInstance
  }

  /** Its transactions are those of another Kysely, which begins and ends them itself. */
  get isInstance(): boolean {
    return this.instance.baseDriver instanceof InstanceDriver
  }

  get isPGlite(): boolean {
    return this.instance.adapter instanceof PGliteAdapter
  }

  /** The connection on which a transaction's statements run, also when another ORM has begun it. */
  connectionOf(root: Root): DatabaseConnection {
    const { line } = root
    if (line instanceof KyselyLine && line.host === this) return line.connection
    let connection = this.#joined.get(root)
    if (connection === undefined) {
      const session = (line as Partial<KyselyLine>).engineSession
      connection = session && connectionOn(this.instance.baseDriver, session)
      if (connection === undefined) throw new NotWrappedError(notJoinable)
      this.scopeStatements(connection)
      this.#joined.set(root, connection)
    }
    return connection
  }

  /** Has the statements of a connection go through the scope that they belong to. */
  scopeStatements(connection: DatabaseConnection): void {
    interceptConnection(connection, transactionsRank, this.#statements)
  }

  watchOf(connection: DatabaseConnection): PostgresWatch | undefined {
    return this.#watchesPostgres ? watchPostgres(connection) : undefined
  }

  /** Where a driver gets a second connection from, to cancel what runs on the first. */
  readonly controlConnections: ConnectionProvider['provideConnection'] = async (consumer) => {
    const { baseDriver } = this.instance
    const connection = await baseDriver.acquireConnection()
    try {
      return await consumer(connection)
    } finally {
      await baseDriver.releaseConnection(connection)
    }
  }

  /** The only connection is left inside a transaction that could not be rolled back. */
  noteBroken(connection: DatabaseConnection): void {
    this.#broken = connection
  }

  get isBroken(): boolean {
    return this.#broken !== undefined
  }

  /** Rolls back what is left on the only connection, before anybody else is let on it. */
  async mend(line: KyselyLine): Promise<void> {
    if ((await line.state(new Error('left open'))) === 'open') await line.rollback(false)
    this.#broken = undefined
  }
}

const notJoinable =
  'A query inside a transaction that another ORM has begun on the same database cannot join it: the two use different ' +
  'copies of the driver. Give both the database of one openSqlite() or openDuckDB().'

/** The state of a database, or the error that says what is missing. */
export function transactionsOf(instance: DialectInstance | undefined): KyselyTransactions {
  const found = instance?.slots.get(layerName)
  if (found instanceof KyselyTransactions) return found
  throw new NotWrappedError(
    'This Kysely instance does not know of transactions that nest. Wrap its dialect: ' +
      "`new Kysely({ dialect: withTransactions(dialect) })`, with withTransactions from '@keelson/transactions/kysely'. " +
      'Nothing was sent.',
  )
}
