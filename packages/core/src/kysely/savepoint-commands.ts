import { CompiledQuery, type DatabaseConnection, type QueryExecutor } from 'kysely'
import { engineSession, type EngineSession } from '../capabilities/engine-session.ts'
import type { EngineTraits } from '../engine-traits.ts'
import { quoteIdentifier } from '../identifier.ts'
import type { SavepointCommands } from '../savepoint.ts'

/**
 * What makes a savepoint in a transaction of Kysely's, of an engine that has them.
 *
 * @param connection the one that the transaction is on: connections of ours have methods for it, and refuse the statements
 */
export function savepointCommands(
  executor: QueryExecutor,
  connection: DatabaseConnection,
  { engine, savepoint }: EngineTraits,
  name: string,
): SavepointCommands {
  const session = (connection as { readonly [engineSession]?: EngineSession })[engineSession]
  if (session?.savepoint !== undefined) {
    return {
      create: () => session.savepoint!(name),
      rollbackTo: () => session.rollbackToSavepoint!(name),
      release: () => session.releaseSavepoint!(name),
    }
  }
  const quoted = quoteIdentifier(name, engine)
  const run = (command: string): Promise<unknown> =>
    executor.executeQuery(CompiledQuery.raw(`${command} ${quoted}`))
  return {
    create: () => run(savepoint!.create),
    rollbackTo: () => run(savepoint!.rollbackTo),
    release: () => run(savepoint!.release),
  }
}
