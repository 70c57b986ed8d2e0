import {
  type DuckDBDataChunk,
  type DuckDBResult as ClientResult,
  ResultReturnType,
} from '@duckdb/node-api'
import type { Connection } from './connection.ts'
import type { Interruption } from './interruption.ts'
import type { Statement } from './statement.ts'

/** What DuckDB computes ahead of a stream: https://duckdb.org/docs/stable/configuration/overview `streaming_buffer_size`. */
const bufferBytes = 1_000_000

/** The rows of a statement, as DuckDB computes them. Its connection does nothing else until it is closed. */
export class RowSource {
  readonly statement: Statement
  readonly result: ClientResult
  readonly #connection: Connection
  readonly #ownsTransaction: boolean
  readonly #mayFail: boolean
  /**
   * As much memory as DuckDB holds for it, of which V8 knows nothing, and which is free only once the result has been
   * collected as garbage. Nothing is written to it, so that it takes up none.
   */
  readonly weight: ArrayBuffer | undefined
  #isAtEnd = false
  #isCutShort = false

  /**
   * @param ownsTransaction whether a transaction was begun for it, which ends with it
   * @param mayFail whether it is in no transaction that would fail with it
   */
  constructor(
    connection: Connection,
    statement: Statement,
    result: ClientResult,
    ownsTransaction: boolean,
    mayFail = false,
  ) {
    this.#connection = connection
    this.statement = statement
    this.result = result
    this.#ownsTransaction = ownsTransaction
    this.#mayFail = mayFail
    this.weight = result.isStreaming ? new ArrayBuffer(bufferBytes) : undefined
  }

  /** DuckDB's client ends rows that failed as if they were at their end. */
  get isCutShort(): boolean {
    return this.#isCutShort
  }

  /** @returns `undefined` where there are no more rows, for whatever reason */
  async next(interruption: Interruption): Promise<DuckDBDataChunk | undefined> {
    if (this.#isAtEnd) return undefined
    const chunk = await this.#connection.call(() => this.result.fetchChunk(), interruption)
    if (chunk !== null && chunk.rowCount > 0) return chunk
    this.#isAtEnd = true
    this.#isCutShort = this.result.returnType === ResultReturnType.INVALID
    return undefined
  }

  /** Frees its connection after the last row. */
  async finish(): Promise<void> {
    if (this.#ownsTransaction) await this.#connection.conclude('commit')
  }

  /** Frees its connection where it is. */
  async abandon(): Promise<void> {
    if (this.result.isStreaming && !this.#isAtEnd) {
      // What is open keeps its buffers and its snapshot until the connection does something else.
      if (this.#mayFail) await this.#fail()
      else await this.#connection.conclude('select 1')
    }
    if (this.#ownsTransaction) await this.#connection.conclude('rollback')
  }

  /**
   * Ends it by an error. Any other end but that of the data leaves the instance, and its file, open until the result has
   * been collected as garbage.
   */
  async #fail(): Promise<void> {
    let chunk: DuckDBDataChunk | null
    do {
      this.#connection.raw.interrupt()
      chunk = await this.result.fetchChunk()
    } while (chunk !== null && chunk.rowCount > 0)
    this.#isAtEnd = true
  }
}
