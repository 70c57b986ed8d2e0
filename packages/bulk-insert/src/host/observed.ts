import type { DirectOutcome, StatementObserver } from '@keelson/core'
import type { Copier, HostSession } from './host.ts'

/** What DuckDB reads the rows from, as statements of its driver call it. */
const ingestedRows = 'keelson_ingest(?)'

/** What sends rows past the ORM, where somebody measures that. */
export class Observed {
  readonly #observer: StatementObserver | undefined
  readonly #on: object

  /** @param on the Kysely connection, or the Drizzle session */
  constructor(observer: StatementObserver | undefined, on: object) {
    this.#observer = observer
    this.#on = on
  }

  bulkStatements(send: HostSession['bulkStatements']): HostSession['bulkStatements'] {
    const observer = this.#observer
    if (observer === undefined || send === undefined) return send
    return (request) => {
      const { rowCount, rowsPerStatement, after } = request
      const sql = request.statement(Math.min(rowCount, rowsPerStatement))
      return observer.observe(
        this.#on,
        { sql, bulkRows: rowCount, after },
        () => send(request),
        ({ changes, rows, done, failure }) => ({
          rows: rows.length,
          affectedRows: changes,
          failure: failure && { error: failure.error, bulkRows: rowCount - done },
        }),
      )
    }
  }

  bulkIngest(send: HostSession['bulkIngest']): HostSession['bulkIngest'] {
    const observer = this.#observer
    if (observer === undefined || send === undefined) return send
    return (request) => {
      const sql = request.statement(ingestedRows)
      const bulkRows = request.rows?.length ?? request.values?.[0]?.length
      return observer.observe(
        this.#on,
        { sql, bulkRows, after: request.after },
        () => send(request),
        // With RETURNING DuckDB counts nothing.
        ({ changes, rows }) => ({ rows: rows.length, affectedRows: changes || rows.length }),
      )
    }
  }

  copier(copy: Copier | undefined): Copier | undefined {
    const observer = this.#observer
    if (observer === undefined || copy === undefined) return copy
    return (sql, data, rowCount) =>
      observer.observe(
        this.#on,
        { sql, bulkRows: rowCount },
        () => copy(sql, data, rowCount),
        (affectedRows) => ({ rows: 0, affectedRows }),
      )
  }

  /** One statement, or a command that divides the transaction. */
  statement<R>(
    sql: string,
    parameters: readonly unknown[],
    send: () => R,
    outcomeOf: (result: Awaited<R>) => DirectOutcome,
    rowCount?: number,
  ): R {
    const observer = this.#observer
    if (observer === undefined) return send()
    return observer.observe(this.#on, { sql, parameters, bulkRows: rowCount }, send, outcomeOf)
  }
}
