import { statementObserver, type Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { Observed } from '../host/observed.ts'
import type { DrizzleSession } from './internals.ts'

/** The part of better-sqlite3 that is called here. */
interface Client {
  prepare(sql: string): Statement
}

interface Statement {
  run(...parameters: readonly unknown[]): { readonly changes: number }
  all(...parameters: readonly unknown[]): readonly Record<string, unknown>[]
}

/**
 * See `HostSession`, for better-sqlite3 under Drizzle, which answers at once. Drizzle prepares a statement for each call;
 * here each is prepared once.
 */
export class SyncHostSession implements HostSession {
  readonly isOwnDriver: boolean = false
  readonly preparesOnce: boolean = true
  readonly bulkStatements: undefined
  readonly bulkIngest: undefined
  readonly #client: Client
  readonly #observed: Observed
  readonly #statements = new Map<string, Statement>()

  constructor(session: DrizzleSession) {
    this.#client = session.client as Client
    this.#observed = new Observed(session.dialect[statementObserver], session)
  }

  query(
    sql: string,
    parameters: readonly unknown[] = [],
    rowCount?: number,
  ): readonly Record<string, unknown>[] {
    return this.#observed.statement(
      sql,
      parameters,
      () => this.#prepare(sql).all(...parameters),
      ({ length }) => ({ rows: length, affectedRows: undefined }),
      rowCount,
    )
  }

  run(sql: string, parameters: readonly unknown[] = [], rowCount?: number): number {
    return this.#observed.statement(
      sql,
      parameters,
      () => this.#prepare(sql).run(...parameters).changes,
      (affectedRows) => ({ rows: 0, affectedRows }),
      rowCount,
    )
  }

  /** A failed statement undoes itself alone. */
  savepoint<R>(fn: (inner: HostSession) => Steps<R>): Steps<R> {
    return fn(this)
  }

  #prepare(sql: string): Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = this.#client.prepare(sql)))
    return statement
  }
}
