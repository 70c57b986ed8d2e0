import type { Place } from './engines/place.ts'

export type Row = Record<string, unknown>

/** Something statements are sent through: the plain database, or the handle of a transaction. */
export interface Handle {
  /** Adds a row to `t`. */
  insert(v: string): Promise<unknown>
  /** Sends a statement as it is written. */
  execute(sql: string): Promise<readonly Row[]>
}

/** The handle of a transaction that can have nested ones. */
export interface TransactionHandle extends Handle {
  /** A part of the transaction that can fail alone, in the words the library has for it. */
  nested<R>(fn: (handle: TransactionHandle) => Promise<R>, options?: TransactionOptions): Promise<R>
}

export interface TransactionOptions {
  readonly accessMode?: 'read only'
  readonly isolationLevel?: 'serializable'
}

/** A transaction that is ended by a call, not by the end of a callback. */
export interface ControlledTransaction extends Handle {
  commit(): Promise<unknown>
  rollback(): Promise<unknown>
}

/** A database as one library opens it. The scenarios are written once, against this. */
export interface Store extends Handle {
  transaction<R>(fn: (handle: Handle) => Promise<R>, options?: TransactionOptions): Promise<R>
  /** One that can have nested ones: in Kysely those are savepoints, which only controlled transactions have. */
  nesting<R>(fn: (handle: TransactionHandle) => Promise<R>): Promise<R>
  begin?(): Promise<ControlledTransaction>
  close(): Promise<unknown>
}

/** The same for a library that has no promises: Drizzle over better-sqlite3. */
export interface SyncHandle {
  insert(v: string): void
  execute(sql: string): void
  /** `fn` may be async, as JavaScript lets one write. */
  nested<R>(fn: (handle: SyncHandle) => R): R
}

export interface SyncStore extends SyncHandle {
  transaction<R>(fn: (handle: SyncHandle) => R, options?: TransactionOptions): R
  close(): void
}

export interface StoreSettings {
  /** Connections of the pool, at most. SQLite and PGlite have one. @default 4 */
  readonly connections?: number
  /** The application listens to the `error` events of pg's clients, which few do. @default false */
  readonly listensToClients?: boolean
}

/** What a library may be unable to express. */
export type Ability =
  | 'nested'
  | 'releasedSavepoints'
  | 'accessMode'
  | 'nestedOptions'
  | 'controlled'
  | 'isolationLevel'

interface AnyDriver {
  /** The package that talks to the engine. */
  readonly name: string
  /** Whether it comes from somebody else than the library, which is not to be blamed for it. */
  readonly isForeign?: true
  /** Why a case that needs the ability cannot be put to this library. */
  readonly lacks?: Readonly<Partial<Record<Ability, string>>>
}

export interface AsyncDriver extends AnyDriver {
  open(place: Place, settings: StoreSettings): Promise<Store>
}

export interface SyncDriver extends AnyDriver {
  openSync(place: Place): SyncStore
}

export type Driver = AsyncDriver | SyncDriver
