import { describeError, KeelsonError, type EngineTraits } from '@keelson/core'

/** An ORM's database, as far as it takes to make tables. */
export interface TableHost {
  readonly traits: EngineTraits
  /** Whether a statement on it would run in a transaction that somebody else has begun. */
  readonly isInTransaction: boolean
  /** Runs a statement as it stands: in the open transaction where there is one, else in none. */
  run(sql: string): Promise<unknown>
}

const maxAttempts = 5

/**
 * Makes tables that are not there yet. Several processes may do so at once.
 *
 * @throws {KeelsonError} `TABLE_IN_TRANSACTION` inside a transaction of an engine that commits before it makes a table
 */
export async function createTables(
  where: string,
  host: TableHost,
  statements: readonly string[],
): Promise<void> {
  const { isInTransaction, traits } = host
  if (isInTransaction && !traits.supportsTransactionalDdl) {
    throw new KeelsonError(
      'TABLE_IN_TRANSACTION',
      `${where} was called inside a transaction, and MySQL commits what is open before it creates a table. ` +
        'Call it outside of the transaction: in a migration, or when the program starts. Nothing was sent.',
    )
  }
  for (const statement of statements) await createTable(host, statement)
}

/** Of two sessions that create one table at once one may fail, IF NOT EXISTS or not: PostgreSQL, DuckDB. */
async function createTable(host: TableHost, statement: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await host.run(statement)
      return
    } catch (error) {
      const { category, retryable } = describeError(error)
      const isRace = retryable || category === 'unique' || category === 'misuse'
      if (!isRace || host.isInTransaction || attempt === maxAttempts) throw error
    }
  }
}
