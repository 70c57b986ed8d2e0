import type { CompiledQuery } from 'kysely'
import { MIGRATION_LOCK_ID } from 'kysely/migration'
import type { DuckDBSession } from '../contract.ts'
import type { DuckDBDatabase } from '../database.ts'
import { turnsOf } from '../turns/database-turns.ts'

/**
 * Whether it is a statement that fails when two connections run it at once, although whoever sends it has allowed for
 * somebody else to have been faster: `create ... if not exists`, and the row of the lock table, with which Kysely's
 * `Migrator` prepares before it takes the lock.
 *
 * DuckDB reports a conflict to the slower one as soon as the faster one has begun. Kysely then looks whether that one's
 * work is there, which it may not be yet.
 */
export function takesTurns({ query, parameters }: CompiledQuery): boolean {
  switch (query.kind) {
    case 'CreateTableNode':
      // With a query it may take long, and nobody waits for a table to be filled. A temporary one is in nobody's way.
      return query.ifNotExists === true && query.selectQuery === undefined && !query.temporary
    case 'CreateSchemaNode':
      return query.ifNotExists === true
    case 'InsertQueryNode':
      return parameters.length === 2 && parameters[0] === MIGRATION_LOCK_ID
    default:
      return false
  }
}

/**
 * Runs one of these statements after the others of the same database.
 *
 * @param own the session of a caller who has a connection already; for others one is reserved before the turn is taken,
 *   because those who wait for the turn may have all the connections that there are
 */
export async function inTurn<R>(
  database: DuckDBDatabase,
  own: DuckDBSession | undefined,
  signal: AbortSignal | undefined,
  run: (session: DuckDBSession) => Promise<R>,
): Promise<R> {
  const session = own ?? (await database.reserve({ source: 'kysely', ...(signal && { signal }) }))
  try {
    return await whenFree(database, () => run(session))
  } finally {
    if (own === undefined) await session.release()
  }
}

async function whenFree<R>(database: DuckDBDatabase, run: () => Promise<R>): Promise<R> {
  const { setup } = await turnsOf(database)
  await setup.take('a statement')
  try {
    return await run()
  } finally {
    setup.pass()
  }
}
