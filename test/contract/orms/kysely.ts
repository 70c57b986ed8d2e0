import { Kysely, sql, type ControlledTransaction, type Dialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import type { Engine, OpenOptions, TransactionSettings, Written } from '../../support/engines.ts'
import type { Account, Database, NewAccount } from '../../support/schema.ts'
import type {
  Handle,
  Migration,
  Orm,
  QueryForms,
  Store,
  StreamForms,
  StreamSettings,
} from '../orm.ts'

export type Wrap = (dialect: Dialect) => Dialect

/**
 * Kysely with `db.startTransaction()`, which alone has savepoints.
 *
 * @param wrap what stands around the engine's dialect
 */
export function kysely(wrap: Wrap = (dialect) => dialect): Orm {
  return {
    name: 'kysely',
    lacks: {
      nestedScopes:
        'Kysely has savepoint commands, which the caller puts in order; @keelson/transactions makes scopes of them',
      endsStreams:
        'commit() and rollback() of a controlled transaction fail while a stream is open in it',
      relationalQueries: 'Kysely has no relational queries',
    },
    mapsValues: false,
    scope: 'everything',
    open: (engine, path, options) =>
      openKysely(engine, path, options, wrap, new ControlledTransactions()),
    unwrap: (error) => error,
  }
}

/** Kysely with `db.transaction().execute(callback)`, whose commit and rollback are Kysely's. */
export function kyselyCallbacks(wrap: Wrap = (dialect) => dialect): Orm {
  return {
    ...kysely(wrap),
    name: 'kysely, db.transaction()',
    lacks: {
      nestedTransactions:
        'the Transaction of db.transaction() has no savepoints, db.startTransaction() has',
    },
    scope: 'transactions',
    open: (engine, path, options) => openKysely(engine, path, options, wrap, callbackTransactions),
  }
}

type Body<R> = (trx: Kysely<Database>) => Promise<R>

/** A way to run transactions, and those inside of them. */
export interface KyselyTransactionKind {
  run<R>(db: Kysely<Database>, fn: Body<R>, settings: TransactionSettings): Promise<R>
  /** @param trx what the callback around was given */
  nest<R>(trx: Kysely<Database>, fn: Body<R>): Promise<R>
}

const callbackTransactions: KyselyTransactionKind = {
  run: (db, fn, settings) => withSettings(db.transaction(), settings).execute(fn),
  nest: (trx, fn) => trx.transaction().execute(fn),
}

class ControlledTransactions implements KyselyTransactionKind {
  #savepoints = 0

  async run<R>(db: Kysely<Database>, fn: Body<R>, settings: TransactionSettings): Promise<R> {
    const trx = await withSettings(db.startTransaction(), settings).execute()
    try {
      const result = await fn(trx)
      await trx.commit().execute()
      return result
    } catch (error) {
      await trx
        .rollback()
        .execute()
        .catch(() => {})
      throw error
    }
  }

  async nest<R>(around: Kysely<Database>, fn: Body<R>): Promise<R> {
    const trx = around as ControlledTransaction<Database, string[]>
    // Savepoints of one name would be found innermost first; siblings need their own.
    const name = `nested ${++this.#savepoints}`
    const inner = await trx.savepoint(name).execute()
    try {
      const result = await fn(inner)
      await inner.releaseSavepoint(name).execute()
      return result
    } catch (error) {
      // A transaction that the engine has ended has no savepoint any more; the first error is the one to report.
      await inner
        .rollbackToSavepoint(name)
        .execute()
        .then(() => inner.releaseSavepoint(name).execute())
        .catch(() => {})
      throw error
    }
  }
}

export function withSettings<
  B extends {
    setAccessMode(mode: 'read only' | 'read write'): B
    setIsolationLevel(level: never): B
  },
>(builder: B, { accessMode, isolationLevel }: TransactionSettings): B {
  const withMode = accessMode === undefined ? builder : builder.setAccessMode(accessMode)
  return isolationLevel === undefined
    ? withMode
    : withMode.setIsolationLevel(isolationLevel as never)
}

export async function openKysely(
  engine: Engine,
  path: string,
  options: OpenOptions | undefined,
  wrap: Wrap,
  kind: KyselyTransactionKind,
): Promise<Store> {
  const db = new Kysely<Database>({ dialect: wrap(engine.kyselyDialect(path, options)) })
  return new KyselyStore(engine, path, db, kind)
}

class KyselyHandle implements Handle {
  protected readonly engine: Engine
  protected readonly db: Kysely<Database>
  protected readonly kind: KyselyTransactionKind

  constructor(engine: Engine, db: Kysely<Database>, kind: KyselyTransactionKind) {
    this.engine = engine
    this.db = db
    this.kind = kind
  }

  async add(...accounts: readonly (string | NewAccount)[]): Promise<Written> {
    const values = accounts.map((account) =>
      typeof account === 'string' ? { name: account } : account,
    )
    const { numInsertedOrUpdatedRows, insertId } = await this.db
      .insertInto('account')
      .values(values)
      .executeTakeFirstOrThrow()
    return { affected: number(numInsertedOrUpdatedRows), insertId: number(insertId) }
  }

  async setBalance(id: number, balance: number): Promise<Written> {
    const { numUpdatedRows } = await this.db
      .updateTable('account')
      .set({ balance })
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    return { affected: number(numUpdatedRows), insertId: undefined }
  }

  accounts(): Promise<Account[]> {
    return this.db.selectFrom('account').selectAll().orderBy('id').execute()
  }

  async names(): Promise<string[]> {
    const rows = await this.db.selectFrom('account').select('name').orderBy('id').execute()
    return rows.map(({ name }) => name)
  }

  async query<R>({ kysely: run }: QueryForms<R>): Promise<R> {
    return await run(this.db)
  }

  stream<Row>(
    { kysely: build }: StreamForms<Row>,
    { chunkRows = 10, signal }: StreamSettings = {},
  ): AsyncIterable<Row> {
    return build(this.db).stream({ chunkSize: chunkRows, ...(signal && { signal }) })
  }

  async run(statement: string): Promise<void> {
    await sql.raw(statement).execute(this.db)
  }

  async rows(query: string): Promise<Record<string, unknown>[]> {
    return (await sql.raw<Record<string, unknown>>(query).execute(this.db)).rows
  }

  nested<R>(fn: (inner: Handle) => Promise<R>): Promise<R> {
    return this.kind.nest(this.db, (inner) => fn(new KyselyHandle(this.engine, inner, this.kind)))
  }
}

class KyselyStore extends KyselyHandle implements Store {
  readonly path: string

  constructor(engine: Engine, path: string, db: Kysely<Database>, kind: KyselyTransactionKind) {
    super(engine, db, kind)
    this.path = path
  }

  transaction<R>(fn: (tx: Handle) => Promise<R>, settings: TransactionSettings = {}): Promise<R> {
    const { engine, kind } = this
    return kind.run(this.db, (trx) => fn(new KyselyHandle(engine, trx, kind)), settings)
  }

  async migrate(migrations: readonly Migration[]): Promise<void> {
    const entries = migrations.map(
      ({ name, statements }) => [name, { up: upOf(statements) }] as const,
    )
    const provider = { getMigrations: async () => Object.fromEntries(entries) }
    const { error } = await new Migrator({ db: this.db, provider }).migrateToLatest()
    if (error !== undefined) throw error
  }

  close(): Promise<void> {
    return this.db.destroy()
  }
}

function upOf(statements: readonly string[]) {
  return async (db: Kysely<any>): Promise<void> => {
    for (const statement of statements) await sql.raw(statement).execute(db)
  }
}

function number(count: bigint | undefined): number | undefined {
  return count === undefined ? undefined : Number(count)
}
