import { mockError } from '@keelson/core/drizzle'
import type { ExecuteOptions, SqliteResult, SqliteSession, StreamOptions } from '../contract.ts'
import type { SqliteDatabase } from '../database.ts'

/** Where a session's statements go: the database, or a transaction. */
export type Outlet = Pick<SqliteDatabase, 'execute' | 'stream'>

/** Statements outside a transaction, told from those of other hosts in the events that the driver publishes. */
export class DatabaseOutlet implements Outlet {
  readonly #client: SqliteDatabase
  readonly #line: SqliteSession

  constructor(client: SqliteDatabase) {
    this.#client = client
    this.#line = client.connect({ source: 'drizzle' })
  }

  execute<Row>(
    sql: string,
    parameters?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<SqliteResult<Row>> {
    return this.#line.execute<Row>(sql, parameters, options)
  }

  stream<Row>(
    sql: string,
    parameters?: readonly unknown[],
    options?: StreamOptions,
  ): AsyncIterableIterator<Row[]> {
    return this.#client.connect({ source: 'drizzle' }).stream<Row>(sql, parameters, options)
  }
}

/** Refuses the statements of `drizzle.mock()`. */
export const noDatabase: Outlet = {
  execute: () => Promise.reject(mockError()),
  // oxlint-disable-next-line require-yield -- it has nothing to yield
  async *stream() {
    throw mockError()
  },
}
