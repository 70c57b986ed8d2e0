import type { PreparedStatement } from '../statement/prepared-statement.ts'
import { readRoute } from '../statement/read-route.ts'
import type { RunnerParts } from './statement-runner.ts'

/**
 * Prepares a statement on this connection, unless another one has to run it.
 *
 * @param mayGo whether it was sent here only to be tried
 */
export function preparedHere(
  { engine, isReader, privacy }: RunnerParts,
  sql: string,
  parameters: readonly unknown[],
  mayGo: boolean,
): PreparedStatement | 'elsewhere' {
  let statement: PreparedStatement
  try {
    statement = engine.prepare(sql)
  } catch (error) {
    // Of a temporary table, or one of an attached database, only the connection that writes knows.
    if (mayGo && isReader && (error as { code?: unknown }).code === 'SQLITE_ERROR')
      return 'elsewhere'
    throw error
  }
  if (!mayGo) return statement
  if (!statement.isRead) return isReader ? 'elsewhere' : statement
  const { generation } = privacy
  if (statement.route?.generation !== generation)
    statement.route = { kind: readRoute(engine.database, statement, parameters), generation }
  return isReader === (statement.route.kind === 'writer') ? 'elsewhere' : statement
}
