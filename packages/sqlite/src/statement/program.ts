import type { BetterSqlite3Database } from '../better-sqlite3.ts'

/** One step of a statement's program. https://www.sqlite.org/opcode.html */
export interface Opcode {
  readonly addr: number
  readonly opcode: string
  readonly p1: number
  readonly p4: string | null
  readonly p5: number
}

/** The program that SQLite has made of a statement, as EXPLAIN shows it; those of its triggers follow behind. */
export function statementProgram(
  database: BetterSqlite3Database,
  sql: string,
  bound: readonly unknown[],
): readonly Opcode[] {
  // SQLite passes over semicolons before a statement, but not behind EXPLAIN.
  const statement = sql.replace(/^(?:[\s;]|--[^\n]*|\/\*[^]*?\*\/)+/, '')
  return database.prepare(`explain ${statement}`).all(bound) as readonly Opcode[]
}
