import type { Statement } from './statement.ts'

/** Prepared statements of one connection by SQL text; the least recently used go first. */
export class StatementCache {
  /** How many it keeps. */
  readonly size: number
  readonly #statements = new Map<string, Statement>()

  constructor(size: number) {
    this.size = size
  }

  get(sql: string): Statement | undefined {
    const statement = this.#statements.get(sql)
    if (statement === undefined) return undefined
    this.#statements.delete(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  add(statement: Statement): void {
    this.#statements.set(statement.sql, statement)
    if (this.#statements.size <= this.size) return
    const [oldest] = this.#statements.values()
    this.remove(oldest!)
  }

  remove(statement: Statement): void {
    if (this.#statements.get(statement.sql) === statement) this.#statements.delete(statement.sql)
    statement.destroy()
  }

  clear(): void {
    for (const statement of this.#statements.values()) statement.destroy()
    this.#statements.clear()
  }
}
