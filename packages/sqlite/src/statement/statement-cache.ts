import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import { PreparedStatement } from './prepared-statement.ts'

/** Prepared statements of one connection by SQL text; the least recently used go first. */
export class StatementCache {
  readonly #database: BetterSqlite3Database
  readonly #size: number
  readonly #check: (sql: string) => void
  readonly #statements = new Map<string, PreparedStatement>()
  #last: PreparedStatement | undefined

  /** @param check sees the text of every statement before SQLite does, and throws to refuse it */
  constructor(database: BetterSqlite3Database, size: number, check: (sql: string) => void) {
    this.#database = database
    this.#size = size
    this.#check = check
  }

  get(sql: string): PreparedStatement {
    // The same statement many times over is the common case, and needs no look into the map.
    if (this.#last?.sql === sql && !this.#last.isStepping) return this.#last
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      this.#check(sql)
      statement = new PreparedStatement(this.#database, sql)
      // Many a PRAGMA does its work while it is prepared, and none when a prepared one is run again.
      if (statement.verb === 'pragma') return statement
      if (this.#statements.size >= this.#size)
        this.#statements.delete(this.#statements.keys().next().value!)
    } else {
      this.#statements.delete(sql)
      // An open iterator has this one; a second use needs its own.
      if (statement.isStepping) statement = new PreparedStatement(this.#database, sql)
    }
    this.#statements.set(sql, statement)
    this.#last = statement
    return statement
  }

  clear(): void {
    this.#statements.clear()
    this.#last = undefined
  }
}
