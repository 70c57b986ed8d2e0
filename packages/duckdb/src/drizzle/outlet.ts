import { mockError } from '@keelson/core/drizzle'
import type { DuckDBResult, DuckDBSession, ExecuteOptions, StreamOptions } from '../contract.ts'
import type { DuckDBDatabase } from '../database.ts'

/** Where a session's statements go: the database, or a transaction. */
export interface Outlet {
  execute<Row>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions,
  ): Promise<DuckDBResult<Row>>
  stream<Row>(
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
  ): AsyncIterableIterator<Row[]>
}

/** Statements outside a transaction, told from those of other hosts in the events that the driver publishes. */
export class DatabaseOutlet implements Outlet {
  readonly #client: DuckDBDatabase
  #line: DuckDBSession | undefined

  constructor(client: DuckDBDatabase) {
    this.#client = client
  }

  async execute<Row>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions,
  ): Promise<DuckDBResult<Row>> {
    this.#line ??= this.#client.connect({ source: 'drizzle' })
    return this.#line.execute<Row>(sql, parameters, options)
  }

  async *stream<Row>(
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
  ): AsyncGenerator<Row[], void> {
    yield* this.#client.connect({ source: 'drizzle' }).stream<Row>(sql, parameters, options)
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
