import {
  bulkRows,
  callStatementWith,
  type DirectOutcome,
  type DirectStatement,
  type StatementObserver,
} from '@keelson/core'
import type { ConnectionInterceptor } from '@keelson/core/kysely'
import type { AbortableOperationOptions, CompiledQuery, QueryResult } from 'kysely'
import { type ControlStatement, controlStatement } from '../record/control-statement.ts'
import { now } from '../record/clock.ts'
import { observeDirect } from '../record/direct-statement.ts'
import { Observation } from '../record/observation.ts'
import { TimedStream } from '../record/timed-stream.ts'
import { TransactionTracker } from '../record/transaction-tracker.ts'
import type { KyselyWatch } from './kysely-watch.ts'

/** What is measured on one connection. */
export class TimedConnection implements ConnectionInterceptor, StatementObserver {
  readonly #watch: KyselyWatch
  readonly #conn: number
  readonly transactions: TransactionTracker
  /** When the connection was asked for, until the first statement that it was asked for is sent; else 0. */
  askedMs = 0
  /** When it was there, as long as who asked for it has not returned; else 0. */
  gotMs = 0
  /** How long it was waited for then. */
  waitedMs = 0
  /** Whoever has asked for it has sent a statement before returning. */
  hasSent = false
  /** It is kept for longer than one query: a transaction was begun on it, or whoever has it was asked for it. */
  isHeld = false
  /** Settles when whoever holds it gives it back. */
  lease: Promise<unknown> | undefined

  constructor(watch: KyselyWatch, conn: number) {
    this.#watch = watch
    this.#conn = conn
    this.transactions = new TransactionTracker(watch.recorder, watch.instance, conn)
  }

  executeQuery: ConnectionInterceptor['executeQuery'] = (next, query, options) => {
    const { recorder } = this.#watch
    const askedMs = this.#takeAsked()
    if (this.#watch.isOwn(query)) return next(query, options)
    // A transaction that is open is told of to its end, also when everything is switched off within.
    if (!recorder.isEnabled && this.transactions.root === undefined && !this.#watch.isLeftOpen)
      return next(query, options)
    // The query builders' own statements control nothing.
    const control = query.query?.kind === 'RawNode' ? controlStatement(query.sql) : undefined
    if (control !== undefined) return this.control(control, askedMs, () => next(query, options))
    if (!recorder.isEnabled) return next(query, options)
    const observation = this.#observe('query', query, askedMs)
    let result: Promise<QueryResult<any>>
    try {
      result = callStatementWith(observation, next, query, options)
    } catch (error) {
      this.#failed(observation, error, options)
      throw error
    }
    // The caller gets the driver's own promise: no tick is added, and the error is the same.
    result.then(
      (given) => this.#succeeded(observation, given),
      (error: unknown) => this.#failed(observation, error, options),
    )
    return result
  }

  streamQuery: ConnectionInterceptor['streamQuery'] = (next, query, chunkSize, options) => {
    const askedMs = this.#takeAsked()
    if (!this.#watch.recorder.isEnabled) return next(query, chunkSize, options)
    const observation = this.#observe('stream', query, askedMs)
    const stream: TimedStream<QueryResult<any>> = new TimedStream(
      next(query, chunkSize, options),
      observation,
      ({ rows }) => rows.length,
      options?.signal,
      (outcome, error) => {
        this.transactions.ran(observation.dbMs!)
        this.#watch.recorder.end(observation, now(), outcome, error)
      },
    )
    // Given back with the stream open, the connection is read from no more.
    const abandon = (): void => stream.abandon()
    void this.lease?.then(abandon, abandon)
    return stream
  }

  observe<R>(
    _: object,
    statement: DirectStatement,
    send: () => R,
    outcomeOf: (result: Awaited<R>) => DirectOutcome,
  ): R {
    // What the connection was asked for long before is no wait of this one.
    this.askedMs = 0
    this.gotMs = 0
    this.hasSent = true
    const { recorder, instance } = this.#watch
    const control = controlStatement(statement.sql)
    const { transactions } = this
    if (!recorder.isEnabled && (control === undefined || transactions.root === undefined))
      return send()
    if (control !== undefined) return this.control(control, 0, send as () => Promise<unknown>) as R
    const to = () => ({
      recorder,
      instance,
      conn: this.#conn,
      tx: transactions.current,
      ran: (ms: number): void => transactions.ran(ms),
      failed: (error: unknown): void => transactions.failed(error),
    })
    return observeDirect(to, statement, send, outcomeOf)
  }

  /** Runs what begins, ends or divides a transaction. */
  control<R>(control: ControlStatement, askedMs: number, run: () => Promise<R>): Promise<R> {
    this.hasSent = true
    const sentMs = now()
    const startMs = askedMs === 0 ? sentMs : askedMs
    if (control.kind === 'begin') {
      this.isHeld = true
      this.#watch.database.waited(sentMs - startMs)
    }
    const ended = this.transactions.sent(control, startMs, sentMs)
    const result = run()
    result.then(
      (given) => {
        ended(now(), undefined, saysRollback(given))
        if (control.kind === 'begin') this.#watchRelease()
        else if (control.kind === 'commit' || control.kind === 'rollback')
          this.#watch.isLeftOpen = false
      },
      (error: unknown) => ended(now(), { error }, false),
    )
    return result
  }

  #takeAsked(): number {
    const { askedMs } = this
    this.askedMs = 0
    return askedMs
  }

  #observe(
    kind: 'query' | 'stream',
    query: CompiledQuery & { readonly [bulkRows]?: number },
    askedMs: number,
  ): Observation {
    const { recorder, instance } = this.#watch
    const sentMs = this.gotMs === 0 ? now() : this.gotMs
    this.gotMs = 0
    this.hasSent = true
    const startMs = askedMs === 0 ? sentMs : askedMs
    const { sql, parameters, [bulkRows]: rows } = query
    const told = rows === undefined ? kind : 'bulk'
    const observation = new Observation(instance, told, sql, parameters, startMs)
    if (rows !== undefined) observation.bulkRows = rows
    observation.waitMs = sentMs - startMs
    observation.conn = this.#conn
    observation.tx = this.transactions.current
    recorder.begin(observation)
    return observation
  }

  #succeeded(observation: Observation, { rows, numAffectedRows }: QueryResult<any>): void {
    const endMs = now()
    observation.rows = rows.length
    if (numAffectedRows !== undefined) observation.affectedRows = Number(numAffectedRows)
    if (observation.tx !== undefined)
      this.transactions.ran(endMs - observation.startMs - observation.waitMs)
    this.#watch.recorder.end(observation, endMs, 'ok', undefined)
  }

  #failed(
    observation: Observation,
    error: unknown,
    options: AbortableOperationOptions | undefined,
  ): void {
    const endMs = now()
    if (observation.tx !== undefined)
      this.transactions.ran(endMs - observation.startMs - observation.waitMs)
    this.transactions.failed(error)
    const outcome = options?.signal?.aborted === true ? 'aborted' : 'error'
    this.#watch.recorder.end(observation, endMs, outcome, error)
  }

  /** Hears when the connection is given back for which the transaction was begun. */
  #watchRelease(): void {
    const { root } = this.transactions
    const released = (): void => {
      if (root === undefined || this.transactions.root !== root) return
      this.transactions.released(now())
      this.#watch.isLeftOpen = true
    }
    void this.lease?.then(released, released)
  }
}

/** PostgreSQL answers a COMMIT with ROLLBACK where an earlier statement has failed. */
function saysRollback(result: unknown): boolean {
  const [first] = (result as Partial<QueryResult<{ command?: unknown }>> | undefined)?.rows ?? []
  return first?.command === 'ROLLBACK'
}
