import { setImmediate as nextTurn } from 'node:timers/promises'
import { excerpt, Holder, QueryTimeoutError } from '@keelson/core'
import type { StreamOptions } from '../contract.ts'
import { RowStream, type StreamSession } from '../session/row-stream.ts'
import type { PreparedStatement } from '../statement/prepared-statement.ts'
import type { InlineEngine } from './inline-engine.ts'
import type { Owned } from './ownership.ts'
import { sourceOfItsOwn, sourceOnOwned, type StreamSource } from './stream-source.ts'

/** After this many milliseconds of work the event loop gets its turn. */
const sliceMs = 5

/** What a stream needs of the session it belongs to. */
export interface InlineStreamSession extends StreamSession {
  /** The connection of the open transaction, if there is one. */
  owned(): Owned | undefined
  refuse(statement: PreparedStatement): void
  failed(error: unknown): void
}

/** See `RowStream`; with at most one chunk in memory. */
export class InlineStream extends RowStream<StreamSource> {
  readonly #engine: InlineEngine
  readonly #session: InlineStreamSession

  constructor(
    engine: InlineEngine,
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
    session: InlineStreamSession,
  ) {
    super(engine, sql, parameters, options, session)
    this.#engine = engine
    this.#session = session
  }

  protected override async *chunksOf(
    { engine, statement }: StreamSource,
    signal: AbortSignal,
  ): AsyncGenerator<unknown[], void> {
    const { queryTimeoutMs } = this.#engine.options
    let turn = performance.now()
    const rows = engine.iterate(statement, this.parameters, this.rows)
    try {
      for (let done = false; !done;) {
        const start = performance.now()
        if (start - turn > sliceMs) {
          await nextTurn()
          signal.throwIfAborted()
          turn = performance.now()
        }
        const chunk: unknown[] = []
        while (chunk.length < this.chunkRows) {
          const row = rows.next()
          if (row === undefined) {
            done = true
            break
          }
          chunk.push(row)
          if ((chunk.length & 15) === 0 && performance.now() - turn > sliceMs) break
        }
        this.spentMs += performance.now() - Math.max(start, turn)
        this.delivers(chunk.length)
        if (queryTimeoutMs !== undefined && this.spentMs > queryTimeoutMs) {
          throw new QueryTimeoutError(
            `The stream spent ${Math.round(this.spentMs)} ms in SQLite, more than queryTimeoutMs allows, and was ended after ` +
              `${this.delivered} rows: ${excerpt(this.sql)}.`,
          )
        }
        if (chunk.length > 0) yield chunk
        signal.throwIfAborted()
      }
    } catch (error) {
      this.#session.failed(error)
      throw error
    } finally {
      rows.close()
    }
  }

  protected override async open(signal: AbortSignal): Promise<StreamSource> {
    const { sql } = this
    const owned = this.#session.owned()
    const check = (statement: PreparedStatement): void => this.#session.refuse(statement)
    if (owned !== undefined) {
      this.runsOn(owned.holder)
      return sourceOnOwned(owned, { sql, check })
    }
    this.holder = new Holder('stream', sql)
    const wanted = {
      engine: this.#engine,
      sql,
      parameters: this.parameters,
      check,
      holder: this.holder,
      opened: () => this.#engine.opened(this),
    }
    return this.#session.patience.during(sql, signal, (either) =>
      sourceOfItsOwn({ ...wanted, signal: either }),
    )
  }
}
