/**
 * The key of what tells of the transaction that is open around a call: on the dialect of a Drizzle session. It is there
 * where transactions are ambient. (Of a Kysely the `DialectInstance` has it.)
 */
export const ambientTransactions: unique symbol = Symbol.for('keelson.ambientTransactions')

/** The ambient transactions of one database. */
export interface AmbientTransactions {
  /** Whether a statement on plain `db` would run in a transaction here. */
  readonly isOpen: boolean
  /** The innermost one that is open here, as its events call it: for whoever measures what is sent past its handle. */
  readonly current: { readonly id: number; readonly depth: number } | undefined
  /** What was sent past the handle of the innermost one has run for so many milliseconds. */
  ran(ms: number): void
  /**
   * Runs `fn` in a transaction; where one is open, in a savepoint of it, or as a part of it.
   *
   * @param db the database, or a handle of one of its transactions
   * @param inside what it is inside an open transaction; a part of one that fails leaves nothing of it to be committed
   */
  transaction<R>(
    db: unknown,
    fn: (tx: unknown) => Promise<R>,
    inside: 'savepoint' | 'part',
  ): Promise<R>
  /** Runs `fn` outside of every transaction of the database. */
  leave<R>(fn: () => R): R
  /** Runs `hook` once the outermost transaction that is open here is committed. */
  afterCommit(hook: () => unknown): void
  /** Runs `hook` when the transaction or savepoint that is innermost here is rolled back. */
  afterRollback(hook: () => unknown): void
}
