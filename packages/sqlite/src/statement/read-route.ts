import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import type { PreparedStatement } from './prepared-statement.ts'

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
  { verb, sql }: PreparedStatement,
  bound: readonly unknown[],
): 'any' | 'writer' {
  // `pragma_foreign_keys` and its like are tables that answer for the connection they are read on.
  if (verb !== 'select' || /pragma_/i.test(sql)) return 'writer'
  for (const { opcode, p1, p4 } of database
    .prepare(`explain ${sql}`)
    .all(bound) as readonly Opcode[]) {
    if (opcode === 'Transaction' && p1 !== 0) return 'writer'
    if ((opcode === 'Function' || opcode === 'PureFunc') && connectionFunctions.test(p4 ?? ''))
      return 'writer'
  }
  return 'any'
}

interface Opcode {
  readonly opcode: string
  readonly p1: number
  readonly p4: string | null
}
