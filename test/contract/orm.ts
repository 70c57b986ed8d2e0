import type { Kysely } from 'kysely'
import type {
  Capability,
  DrizzleDatabase,
  Engine,
  OpenOptions,
  TransactionSettings,
  Written,
} from '../support/engines.ts'
import type { Account, Database, NewAccount } from '../support/schema.ts'

/** What an ORM offers or not, whatever the engine, and what each means. See `capabilities` of the engines. */
export const ormCapabilities = {
  nestedTransactions: 'A transaction can be begun inside a transaction.',
  nestedScopes:
    'Siblings and the transaction around them wait for a nested transaction, and its handle ends with it.',
  explicitHandles:
    'A statement runs where its handle belongs, also when it is sent from inside another transaction.',
  outermost:
    'A transaction of the database is an outermost one, which commits by itself; others stand beside it.',
  failsAlone: 'A statement or transaction of the database that fails is undone alone.',
  driverRefusals: "What a transaction cannot be asked for is refused with the driver's own error.",
  endsStreams: 'The end of a transaction ends the streams that are open in it.',
  countsWithReturning: 'A statement with `RETURNING` also tells how many rows it affected.',
  abortSignals: 'A query takes an `AbortSignal`.',
  relationalQueries: 'A query can follow the relations of the schema.',
  introspection: 'The ORM lists tables and columns.',
} as const

export type OrmCapability = keyof typeof ormCapabilities

/** An ORM as the suite uses it: its own calls, behind names that every ORM has. */
export interface Orm {
  readonly name: string
  /** Why not, for everything that the ORM lacks or keeps its users from. */
  readonly lacks: Readonly<Partial<Record<OrmCapability | Capability, string>>>
  /** Whether columns turn booleans and dates into what the engine stores, and back. */
  readonly mapsValues: boolean
  /** What to check: everything, or only what a second kind of transaction can break. */
  readonly scope: 'everything' | 'transactions'
  open(engine: Engine, path: string, options?: OpenOptions): Promise<Store>
  /** The error that a failed query stands for, without what the ORM wraps around it. */
  unwrap(error: unknown): unknown
}

/** A database or a transaction, with what nearly every test does in one word. The table is `account`. */
export interface Handle {
  /** Inserts accounts in one statement; a string is an account's name. */
  add(...accounts: readonly (string | NewAccount)[]): Promise<Written>
  /** Sets the balance of one account. */
  setBalance(id: number, balance: number): Promise<Written>
  /** All accounts by id. */
  accounts(): Promise<Account[]>
  /** The names of all accounts by id. */
  names(): Promise<string[]>

  /** Runs the form that is written in this ORM. */
  query<R>(forms: QueryForms<R>): Promise<R>
  /** Streams the rows of a query, 10 at a time unless `chunkRows` says otherwise. */
  stream<Row>(forms: StreamForms<Row>, options?: StreamSettings): AsyncIterable<Row>
  /** Runs a statement given as text through the ORM. */
  run(statement: string): Promise<void>
  /** Reads the rows of a query given as text through the ORM. */
  rows(query: string): Promise<Record<string, unknown>[]>

  /** A transaction inside this one. Needs `nestedTransactions` and `savepoints`. */
  nested<R>(fn: (inner: Handle) => Promise<R>): Promise<R>
}

export interface Store extends Handle {
  readonly path: string
  transaction<R>(fn: (tx: Handle) => Promise<R>, settings?: TransactionSettings): Promise<R>
  /** Runs those migrations that have not run yet, with the ORM's own migrator. */
  migrate(migrations: readonly Migration[]): Promise<void>
  close(): Promise<void>
}

export interface Migration {
  readonly name: string
  readonly statements: readonly string[]
}

/** One query, as it is written in each ORM. */
export interface QueryForms<R> {
  readonly kysely: (db: Kysely<Database>) => PromiseLike<R>
  readonly drizzle: (db: DrizzleDatabase, tables: Tables) => PromiseLike<R>
}

/** One query to stream, as it is written in each ORM. */
export interface StreamForms<Row> {
  readonly kysely: (db: Kysely<Database>) => {
    stream(options: { chunkSize: number; signal?: AbortSignal }): AsyncIterable<Row>
  }
  readonly drizzle: (
    db: DrizzleDatabase,
    tables: Tables,
  ) => { readonly _: { readonly result: Row[] } }
}

type Tables = Engine['drizzle']['tables']

export interface StreamSettings {
  readonly chunkRows?: number
  readonly signal?: AbortSignal
}
