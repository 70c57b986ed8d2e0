import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import type { PreparedStatement } from './prepared-statement.ts'
import { statementProgram } from './program.ts'
import { worded } from './statement-errors.ts'

/** Functions whose answer depends on what the same connection did before. */
const connectionFunctions = /^(last_insert_rowid|changes|total_changes)\(/

/**
 * Tells whether a read gives the same answer on another connection: `'writer'` for one that uses temporary tables,
 * attached databases, or what the connection itself remembers.
 *
 * SQLite's own program for the statement tells, whatever the text looks like: `Transaction` names each database it
 * opens (0 is main, https://www.sqlite.org/opcode.html#Transaction), `Function` each function it calls.
 */
export function readRoute(
  database: BetterSqlite3Database,
  statement: PreparedStatement,
  bound: readonly unknown[],
): 'any' | 'writer' {
  // `pragma_foreign_keys` and its like are tables that answer for the connection they are read on.
  if (statement.verb !== 'select' || /pragma_/i.test(statement.sql)) return 'writer'
  try {
    const usesWriter = statementProgram(database, statement.sql, bound).some(
      ({ opcode, p1, p4 }) =>
        (opcode === 'Transaction' && p1 !== 0) ||
        ((opcode === 'Function' || opcode === 'PureFunc') && connectionFunctions.test(p4 ?? '')),
    )
    return usesWriter ? 'writer' : 'any'
  } catch (error) {
    throw worded(error, statement)
  }
}
