import { CompiledQuery, type DatabaseConnection, type QueryExecutor } from 'kysely'
import { engineSession, type EngineSession } from '../capabilities/engine-session.ts'
import { statementObserver, type StatementObserver } from '../capabilities/statement-observer.ts'
import type { EngineTraits } from '../engine-traits.ts'
import { quoteIdentifier } from '../identifier.ts'
import type { SavepointCommands } from '../savepoint.ts'

/**
 * What makes a savepoint in a transaction of Kysely's, of an engine that has them.
 *
 * @param connection the one that the transaction is on: connections of ours have methods for it, and refuse the statements;
 * whoever measures them is told
 */
export function savepointCommands(
  executor: QueryExecutor,
  connection: DatabaseConnection,
  { engine, savepoint }: EngineTraits,
  name: string,
): SavepointCommands {
  const { create, rollbackTo, release } = savepoint!
  const quoted = quoteIdentifier(name, engine)
  const capable = connection as {
    readonly [engineSession]?: EngineSession
    readonly [statementObserver]?: StatementObserver
  }
  const session = capable[engineSession]
  if (session?.savepoint !== undefined) {
    const observer = capable[statementObserver]
    const command = (text: string, run: () => Promise<void>): Promise<void> =>
      observer === undefined
        ? run()
        : observer.observe(connection, { sql: `${text} ${quoted}` }, run, () => none)
    return {
      create: () => command(create, () => session.savepoint!(name)),
      rollbackTo: () => command(rollbackTo, () => session.rollbackToSavepoint!(name)),
      release: () => command(release, () => session.releaseSavepoint!(name)),
    }
  }
  const run = (command: string): Promise<unknown> =>
    executor.executeQuery(CompiledQuery.raw(`${command} ${quoted}`))
  return {
    create: () => run(create),
    rollbackTo: () => run(rollbackTo),
    release: () => run(release),
  }
}

const none = { rows: 0, affectedRows: undefined }
