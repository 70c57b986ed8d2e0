import { mkdirSync, writeFileSync } from 'node:fs'
import { asc, DrizzleQueryError, eq, sql } from 'drizzle-orm'
import type {
  DrizzleDatabase,
  Engine,
  OpenDrizzle,
  OpenOptions,
  TransactionSettings,
  Written,
} from '../../support/engines.ts'
import type { Account, NewAccount } from '../../support/schema.ts'
import type {
  Handle,
  Migration,
  Orm,
  QueryForms,
  Store,
  StreamForms,
  StreamSettings,
} from '../orm.ts'

type Wrap = (db: DrizzleDatabase) => DrizzleDatabase

/** A way to run transactions: on the database, and on the handle of another one. */
export type RunDrizzleTransaction = <R>(
  db: DrizzleDatabase,
  fn: (tx: DrizzleDatabase) => Promise<R>,
  settings: TransactionSettings,
) => Promise<R>

const ownTransaction: RunDrizzleTransaction = (db, fn, settings) =>
  db.transaction(fn, settings as object)

/** @param wrap what stands around the engine's database */
export function drizzle(
  wrap: Wrap = (db) => db,
  runTransaction: RunDrizzleTransaction = ownTransaction,
): Orm {
  return {
    name: 'drizzle',
    lacks: {
      countsWithReturning:
        'a Drizzle query with returning() resolves to its rows and to nothing else',
      abortSignals: 'Drizzle passes no signal on to a driver',
      introspection: 'Drizzle introspects with drizzle-kit only',
    },
    mapsValues: true,
    scope: 'everything',
    async open(engine: Engine, path: string, options?: OpenOptions): Promise<Store> {
      const opened = await engine.drizzle.open(path, options)
      return new DrizzleStore(engine, { ...opened, db: wrap(opened.db) }, path, runTransaction)
    },
    unwrap: (error) => (error instanceof DrizzleQueryError ? error.cause : error),
  }
}

class DrizzleHandle implements Handle {
  protected readonly engine: Engine
  protected readonly db: DrizzleDatabase
  readonly #runTransaction: RunDrizzleTransaction

  constructor(engine: Engine, db: DrizzleDatabase, runTransaction: RunDrizzleTransaction) {
    this.engine = engine
    this.db = db
    this.#runTransaction = runTransaction
  }

  async add(...accounts: readonly (string | NewAccount)[]): Promise<Written> {
    const { driver, account } = this
    const values = accounts.map((each) => (typeof each === 'string' ? { name: each } : each))
    return driver.written(await this.db.insert(account).values(values))
  }

  async setBalance(id: number, balance: number): Promise<Written> {
    const { driver, account } = this
    return driver.written(await this.db.update(account).set({ balance }).where(eq(account.id, id)))
  }

  async accounts(): Promise<Account[]> {
    return await this.db.select().from(this.account).orderBy(asc(this.account.id))
  }

  async names(): Promise<string[]> {
    const { account } = this
    const rows = await this.db.select({ name: account.name }).from(account).orderBy(asc(account.id))
    return rows.map(({ name }) => name)
  }

  async query<R>({ drizzle: run }: QueryForms<R>): Promise<R> {
    return await run(this.db, this.driver.tables)
  }

  stream<Row>(
    { drizzle: build }: StreamForms<Row>,
    { chunkRows = 10, signal }: StreamSettings = {},
  ): AsyncIterable<Row> {
    const query = build(this.db, this.driver.tables)
    return this.driver.stream(this.db, query, { chunkRows, ...(signal && { signal }) })
  }

  async run(statement: string): Promise<void> {
    await this.driver.run(this.db, sql.raw(statement))
  }

  rows(query: string): Promise<Record<string, unknown>[]> {
    return this.driver.rows(this.db, sql.raw(query))
  }

  nested<R>(fn: (inner: Handle) => Promise<R>): Promise<R> {
    return this.inTransaction(fn, {})
  }

  protected inTransaction<R>(
    fn: (tx: Handle) => Promise<R>,
    settings: TransactionSettings,
  ): Promise<R> {
    const run = this.#runTransaction
    return run(this.db, (tx) => fn(new DrizzleHandle(this.engine, tx, run)), settings)
  }

  protected get driver(): Engine['drizzle'] {
    return this.engine.drizzle
  }

  private get account(): Engine['drizzle']['tables']['account'] {
    return this.driver.tables.account
  }
}

class DrizzleStore extends DrizzleHandle implements Store {
  readonly #close: () => Promise<void>
  readonly path: string
  #folders = 0

  constructor(
    engine: Engine,
    { db, close }: OpenDrizzle,
    path: string,
    runTransaction: RunDrizzleTransaction,
  ) {
    super(engine, db, runTransaction)
    this.#close = close
    this.path = path
  }

  transaction<R>(fn: (tx: Handle) => Promise<R>, settings: TransactionSettings = {}): Promise<R> {
    return this.inTransaction(fn, settings)
  }

  async migrate(migrations: readonly Migration[]): Promise<void> {
    const migrationsFolder = `${this.path}.migrations-${++this.#folders}`
    writeMigrations(migrationsFolder, migrations)
    await this.driver.migrate(this.db, { migrationsFolder })
  }

  close(): Promise<void> {
    return this.#close()
  }
}

/** The folder that drizzle-kit would have written. */
function writeMigrations(folder: string, migrations: readonly Migration[]): void {
  mkdirSync(`${folder}/meta`, { recursive: true })
  const entries = migrations.map(({ name }, idx) => ({
    idx,
    version: '6',
    when: idx + 1,
    tag: name,
    breakpoints: true,
  }))
  writeFileSync(
    `${folder}/meta/_journal.json`,
    JSON.stringify({ version: '7', dialect: 'sqlite', entries }),
  )
  for (const { name, statements } of migrations) {
    writeFileSync(`${folder}/${name}.sql`, statements.join('--> statement-breakpoint\n'))
  }
}
