import type {
  DatabaseConnection,
  DatabaseIntrospector,
  Dialect,
  DialectAdapter,
  Driver,
  Kysely,
  QueryCompiler,
  TransactionSettings,
  ControlledTransaction,
} from 'kysely'

/** The dialect of a `Kysely` that exists already, through what it offers to everybody. */
export class InstanceDialect implements Dialect {
  readonly #db: Kysely<any>

  constructor(db: Kysely<any>) {
    this.#db = db.withoutPlugins()
  }

  createDriver(): Driver {
    return new InstanceDriver(this.#db)
  }

  createQueryCompiler(): QueryCompiler {
    const executor = this.#db.getExecutor()
    return { compileQuery: (node, queryId) => executor.compileQuery(node, queryId) }
  }

  createAdapter(): DialectAdapter {
    return Object.create(this.#db.getExecutor().adapter) as DialectAdapter
  }

  createIntrospector(): DatabaseIntrospector {
    return this.#db.introspection
  }
}

/** A connection of the other instance, kept by a `db.connection()` that does not return before it is released. */
interface Kept {
  readonly db: Kysely<any>
  readonly release: () => void
  transaction?: ControlledTransaction<any, any[]>
}

export class InstanceDriver implements Driver {
  readonly #db: Kysely<any>
  readonly #kept = new WeakMap<DatabaseConnection, Kept>()

  constructor(db: Kysely<any>) {
    this.#db = db
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return new Promise<DatabaseConnection>((resolve, reject) => {
      let release: () => void
      const isReleased = new Promise<void>((done) => (release = done))
      this.#db
        .connection()
        .execute(async (db) => {
          await db.getExecutor().provideConnection(async (connection) => {
            this.#kept.set(connection, { db, release })
            resolve(connection)
          })
          await isReleased
        })
        .catch(reject)
    })
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    this.#kept.get(connection)?.release()
  }

  async beginTransaction(
    connection: DatabaseConnection,
    { accessMode, isolationLevel }: TransactionSettings,
  ): Promise<void> {
    const kept = this.#kept.get(connection)!
    let builder = kept.db.startTransaction()
    if (accessMode !== undefined) builder = builder.setAccessMode(accessMode)
    if (isolationLevel !== undefined) builder = builder.setIsolationLevel(isolationLevel)
    kept.transaction = await builder.execute()
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await this.#transaction(connection).commit().execute()
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await this.#transaction(connection).rollback().execute()
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await this.#transaction(connection).savepoint(name).execute()
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await this.#transaction(connection)
      .rollbackToSavepoint(name as never)
      .execute()
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await this.#transaction(connection)
      .releaseSavepoint(name as never)
      .execute()
  }

  async destroy(): Promise<void> {
    await this.#db.destroy()
  }

  #transaction(connection: DatabaseConnection): ControlledTransaction<any, any[]> {
    return this.#kept.get(connection)!.transaction!
  }
}
