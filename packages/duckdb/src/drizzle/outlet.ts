import type { BulkIngestRequest, BulkIngestResult } from '@keelson/core'
import { mockError } from '@keelson/core/drizzle'
import type { DuckDBResult, DuckDBSession, ExecuteOptions, StreamOptions } from '../contract.ts'
import type { PooledDatabase } from '../pooled-database.ts'

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
  ingest(request: BulkIngestRequest): Promise<BulkIngestResult>
}

/** Statements outside a transaction, told from those of other hosts in the events that the driver publishes. */
export class DatabaseOutlet implements Outlet {
  /** Undefined only for `drizzle.mock()`. */
  readonly client: PooledDatabase | undefined
  #line: DuckDBSession | undefined

  constructor(client: PooledDatabase) {
    this.client = client
  }

  async execute<Row>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions,
  ): Promise<DuckDBResult<Row>> {
    this.#line ??= await this.connect()
    return this.#line.execute<Row>(sql, parameters, options)
  }

  async *stream<Row>(
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
  ): AsyncGenerator<Row[], void> {
    const line = await this.connect()
    yield* line.stream<Row>(sql, parameters, options)
  }

  async ingest(request: BulkIngestRequest): Promise<BulkIngestResult> {
    this.#line ??= await this.connect()
    return this.#line.ingest(request)
  }

  /** A line of its own, to a database that is open: opening it takes its time, and is no waiting for a connection. */
  async connect(): Promise<DuckDBSession> {
    const client = this.client!
    await client.open()
    return client.connect({ source: 'drizzle' })
  }
}

/** Refuses the statements of `drizzle.mock()`. */
export const noDatabase: Pick<DatabaseOutlet, keyof DatabaseOutlet> = {
  client: undefined,
  connect: () => Promise.reject(mockError()),
  execute: () => Promise.reject(mockError()),
  ingest: () => Promise.reject(mockError()),
  // oxlint-disable-next-line require-yield -- it has nothing to yield
  async *stream() {
    throw mockError()
  },
}
