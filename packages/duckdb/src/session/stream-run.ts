/** Over 300 lines, being one subject: one run of a stream, from the wait for a connection to its being given back. */
import {
  excerpt,
  Holder,
  newQueryEvent,
  queryChannel,
  type QueryEvent,
  type StatementCall,
  statementCall,
  type QueryOutcome,
  QueryTimeoutError,
  traceStreamEnd,
  traceStreamStart,
} from '@keelson/core'
import type { Connection } from '../connection/connection.ts'
import { Interruption } from '../connection/interruption.ts'
import type { RowSource } from '../connection/row-source.ts'
import { returnsRows } from '../connection/statement-rules.ts'
import type { Statement } from '../connection/statement.ts'
import { Turns } from '../connection/turns.ts'
import type { StreamOptions } from '../contract.ts'
import { DuckDBStatementError, StreamCutShortError } from '../errors.ts'
import { readChunk, shapeOf, Slices } from '../result/read-result.ts'
import type { ResultPolicies, RowShape } from '../result/row-shape.ts'
import type { Endable, Engine } from './engine.ts'

/** What a stream needs of the session it belongs to. */
export interface StreamHost {
  readonly source: QueryEvent['source']
  /** Gives the connection to read on: the session's own, or one of the pool. */
  open(stream: StreamRun, interruption: Interruption): Promise<StreamConnection>
  ended(stream: StreamRun): void
}

export interface StreamConnection {
  readonly connection: Connection
  readonly isInTransaction: boolean
  /** Throws to refuse the statement before it runs. */
  check(statement: Statement): void
  /** @param failure why it failed, where DuckDB had begun with it */
  ended(failure: { readonly error: unknown } | undefined, spentMs: number): void
}

/** Why a stream ends whose consumer closes it while it still opens. */
const leftEarly = new DOMException('The stream was closed before it began.', 'AbortError')

const done: IteratorResult<unknown[], undefined> = Object.freeze({ done: true, value: undefined })

/**
 * Reads the rows of one statement in chunks, of which it holds one at most. It opens with the first `next()`, and ends
 * when it is read to its end, left (`return()`), ended from outside, or fails; whichever comes first frees its
 * connection. Its calls are worked off one after the other.
 */
export class StreamRun implements Endable {
  readonly sql: string
  readonly #engine: Engine
  readonly #host: StreamHost
  readonly #parameters: readonly unknown[]
  readonly #options: StreamOptions
  readonly #policies: ResultPolicies
  readonly #interruption: Interruption
  readonly #holder: Holder
  readonly #turns = new Turns()
  #phase: 'new' | 'opening' | 'open' | 'ended' = 'new'
  #lender: StreamConnection | undefined
  #source: RowSource | undefined
  #shape: RowShape | undefined
  /** Rows that were read, of which the first were taken. */
  #rest: unknown[] = []
  #taken = 0
  /** Who waits for rows is not gone. */
  readonly #waiting = new Set<{ readonly consumer: object }>()
  /** Why it was ended from outside, and what its consumer is still to be told. */
  #endedBy: { readonly reason: unknown; readonly outcome: QueryOutcome } | undefined
  #wasTold = false
  #delivered = 0
  #event: QueryEvent | undefined
  #call: StatementCall | undefined

  constructor(
    engine: Engine,
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
    host: StreamHost,
  ) {
    this.sql = sql
    this.#engine = engine
    this.#host = host
    this.#parameters = parameters
    this.#options = options
    this.#policies = engine.policiesOf(options.values)
    this.#holder = new Holder('stream', sql)
    const { queryTimeoutMs: ms } = engine.options
    this.#interruption = new Interruption(
      ms === undefined ? undefined : { ms, error: () => this.#timedOut(ms) },
    )
  }

  get isEnded(): boolean {
    return this.#phase === 'ended'
  }

  async next(consumer: object): Promise<IteratorResult<unknown[], undefined>> {
    const waiting = { consumer }
    this.#waiting.add(waiting)
    try {
      return await this.#turns.take(() => this.#next())
    } finally {
      this.#waiting.delete(waiting)
    }
  }

  async return(): Promise<IteratorResult<unknown[], undefined>> {
    // It waits for a connection, or for the first row. In a transaction an interrupt would do harm.
    if (this.#phase === 'opening' && this.#lender?.isInTransaction !== true)
      this.#interruption.abort(leftEarly)
    await this.#turns.take(() => this.#close('early'))
    return done
  }

  /** Ends it by force, and at once: what DuckDB computes is interrupted, which fails the transaction around it. */
  end(reason: unknown): Promise<void> {
    this.#endedBy ??= { reason, outcome: 'aborted' }
    this.#interruption.abort(reason)
    return this.#turns.take(() => this.#close('aborted', { error: reason }))
  }

  /** Ends it where it is, so that the transaction around it can go on. */
  stop(reason: unknown, outcome: QueryOutcome = 'early'): Promise<void> {
    this.#endedBy ??= { reason, outcome }
    return this.#turns.take(() => this.#close(outcome))
  }

  describe(): string {
    return this.#holder.describe()
  }

  async #next(): Promise<IteratorResult<unknown[], undefined>> {
    if (this.#phase === 'ended') return this.#tell()
    try {
      if (this.#phase === 'new') await this.#open()
      const rows = await this.#chunk()
      // Rows that an ended stream still has are not handed out: its end must not look like the end of the data.
      if (this.#endedBy !== undefined) throw this.#endedBy.reason
      if (rows !== undefined) {
        this.#delivered += rows.length
        return { done: false, value: rows }
      }
      await this.#source!.finish()
      await this.#close('ok')
      return done
    } catch (error) {
      this.#wasTold = true
      if (error === leftEarly) {
        await this.#close('early')
        return done
      }
      const { outcome = 'error' } = this.#endedBy ?? {}
      await this.#close(outcome, outcome === 'early' ? undefined : { error })
      throw error
    }
  }

  /** What the consumer hears of a stream that was ended while nobody waited for its rows. */
  #tell(): IteratorResult<unknown[], undefined> {
    if (this.#endedBy === undefined || this.#wasTold) return done
    this.#wasTold = true
    throw this.#endedBy.reason
  }

  async #open(): Promise<void> {
    this.#phase = 'opening'
    const { signal } = this.#options
    if (signal?.aborted === true) this.#aborted()
    else signal?.addEventListener('abort', this.#aborted, { once: true })
    this.#traceStart()
    this.#engine.opened(this)
    this.#interruption.throwIfAborted()
    const lender = await this.#host.open(this, this.#interruption)
    this.#lender = lender
    this.#holder.since = performance.now()
    const { connection, isInTransaction } = lender
    const check = (statement: Statement): void => {
      lender.check(statement)
      if (!returnsRows(statement)) throw noRows(this.sql)
    }
    const prepared = (isCached: boolean): void => {
      if (this.#event !== undefined) this.#event.cache = isCached ? 'hit' : 'miss'
    }
    const request = { sql: this.sql, parameters: this.#parameters, check, prepared }
    const source = await connection.exclusive(() =>
      connection.open(request, this.#interruption, isInTransaction),
    )
    this.#source = source
    this.#shape = shapeOf(source.statement, source.result, this.#policies)
    this.#phase = 'open'
    for (const told of [this.#event, this.#call]) {
      if (told === undefined) continue
      told.conn = connection.id
      told.waitMs = performance.now() - told.startMs - this.#interruption.spentMs
    }
  }

  /** The next rows, as many as were asked for; `undefined` at the end. */
  async #chunk(): Promise<unknown[] | undefined> {
    const { chunkRows } = this.#options
    if (chunkRows === undefined) return this.#read()
    while (this.#rest.length - this.#taken < chunkRows) {
      const rows = await this.#read()
      if (rows === undefined) break
      if (this.#taken > 0) this.#rest = this.#rest.slice(this.#taken)
      this.#taken = 0
      for (const row of rows) this.#rest.push(row)
    }
    const chunk = this.#rest.slice(this.#taken, this.#taken + chunkRows)
    this.#taken += chunk.length
    return chunk.length === 0 ? undefined : chunk
  }

  async #read(): Promise<unknown[] | undefined> {
    const source = this.#source!
    const { connection } = this.#lender!
    const chunk = await connection.exclusive(() => source.next(this.#interruption))
    this.#interruption.throwIfAborted()
    if (source.isCutShort) throw this.#cutShort()
    if (chunk === undefined) return undefined
    if (this.#event !== undefined)
      this.#event.firstRowMs ??= performance.now() - this.#event.startMs
    const rows = await readChunk(chunk, this.#shape!, this.#options.rows ?? 'objects', new Slices())
    this.#interruption.throwIfAborted()
    return rows
  }

  async #close(outcome: QueryOutcome, failure?: { readonly error: unknown }): Promise<void> {
    const was = this.#phase
    this.#phase = 'ended'
    this.#rest = []
    if (was === 'new' || was === 'ended') return
    this.#options.signal?.removeEventListener('abort', this.#aborted)
    if (outcome !== 'ok') await this.#abandon()
    // Whoever keeps a stream that has ended must not keep its rows, and with them the file, open.
    this.#source = undefined
    const { hasBegun, spentMs } = this.#interruption
    this.#lender?.ended(hasBegun ? failure : undefined, spentMs)
    this.#engine.ended(this)
    this.#host.ended(this)
    this.#traceEnd(outcome, failure)
  }

  async #abandon(): Promise<void> {
    const { connection } = this.#lender ?? {}
    try {
      await connection?.exclusive(async () => this.#source?.abandon())
    } catch {
      connection?.changed('a stream that could not be closed')
    }
  }

  readonly #aborted = (): void => void this.end(this.#options.signal!.reason)

  #timedOut(queryTimeoutMs: number): QueryTimeoutError {
    return new QueryTimeoutError(
      `DuckDB worked for longer than ${queryTimeoutMs} ms (queryTimeoutMs) for a stream, which was ended after ` +
        `${this.#delivered} rows: ${excerpt(this.sql)}. Make the statement faster, or allow it more time.`,
    )
  }

  #cutShort(): StreamCutShortError {
    return new StreamCutShortError(
      `DuckDB ended the stream of ${excerpt(this.sql)} before its end, after ${this.#delivered} rows were delivered. ` +
        'Its client does not pass the reason on: run the statement with execute(), or with EXPLAIN ANALYZE, to see it.',
      this.#delivered,
    )
  }

  #traceStart(): void {
    this.#call = statementCall()
    if (!queryChannel.hasSubscribers) return
    this.#event = newQueryEvent({
      kind: 'stream',
      source: this.#host.source,
      system: 'duckdb',
      db: this.#engine.path,
      sql: this.sql,
      paramCount: this.#parameters.length,
    })
    traceStreamStart(this.#event)
  }

  #traceEnd(outcome: QueryOutcome, failure: { readonly error: unknown } | undefined): void {
    const event = this.#event
    if (event === undefined) return
    event.outcome = outcome
    if (failure !== undefined) event.error = failure.error
    event.rows = this.#delivered
    traceStreamEnd(event, this.#interruption.spentMs)
  }
}

function noRows(sql: string): DuckDBStatementError {
  return new DuckDBStatementError(
    'NO_ROWS_TO_STREAM',
    `${excerpt(sql)} returns no rows, so there is nothing to stream. Use execute() for it, or add RETURNING.`,
  )
}
