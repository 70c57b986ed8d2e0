import { fillPlaceholders } from 'drizzle-orm'
import { bulkRows, callStatement, statementCall, isThenable } from '@keelson/core'
import type { QueryOutcome } from '@keelson/core'
import type { PreparedWatch, SentMethod, StreamedMethod } from '@keelson/core/drizzle'
import { type ControlStatement, controlStatement } from '../record/control-statement.ts'
import { Observation } from '../record/observation.ts'
import { settled } from '../record/settled.ts'
import { TimedStream } from '../record/timed-stream.ts'
import type { TransactionTracker } from '../record/transaction-tracker.ts'
import type { DrizzlePrepared, PreparedSql } from './internals.ts'
import { outcomeOf } from './outcome-of.ts'
import type { TimingLayer } from './timing-layer.ts'

type Method = (...args: any[]) => unknown

/** Methods of a prepared query that send it; those of SQLite's drivers call each other. */
const sending: ReadonlySet<string | symbol> = new Set(['execute', 'all', 'get', 'run', 'values'])
/** By these a query gets the rows that it then decodes. */
const rowSources: ReadonlySet<string> = new Set(['values', 'queryWithCache'])
/** Those that send it with the first row that is asked for. */
const streaming: ReadonlySet<string | symbol> = new Set(['iterator', 'stream'])

/**
 * A prepared query that is measured each time it is sent. It watches the query; where a layer below has put a proxy in its
 * place, it is a proxy around that one, whose target gets what is assigned, since a select builder leaves
 * `joinsNotNullableMap` on it afterwards.
 */
export class TimedQuery implements ProxyHandler<DrizzlePrepared>, PreparedWatch {
  readonly #layer: TimingLayer
  readonly #query: PreparedSql
  readonly #transaction: TransactionTracker | undefined
  readonly #isRaw: boolean
  readonly #isMapped: boolean
  /** A control statement is being sent, by methods that call each other. */
  #isControlling = false
  #methods: Map<string | symbol, Method> | undefined

  /**
   * @param isRaw whether it is text that the user, or Drizzle, has written: it may begin or end a transaction; @param isMapped whether Drizzle makes rows
   * of the driver's result
   */
  constructor(
    layer: TimingLayer,
    query: PreparedSql,
    transaction: TransactionTracker | undefined,
    isRaw: boolean,
    isMapped: boolean,
  ) {
    this.#layer = layer
    this.#query = query
    this.#transaction = transaction
    this.#isRaw = isRaw
    this.#isMapped = isMapped
  }

  get isWatching(): boolean {
    return this.#layer.recorder.isEnabled || this.#layer.hasBegun
  }

  get(raw: DrizzlePrepared, name: string | symbol, proxy: unknown): unknown {
    const known = this.#methods?.get(name)
    if (known !== undefined) return known
    const value = Reflect.get(raw, name, raw) as unknown
    if (typeof value !== 'function') return value
    const method = this.#methodOf(raw, name, value as Method, proxy)
    ;(this.#methods ??= new Map()).set(name, method)
    return method
  }

  set(raw: DrizzlePrepared, name: string | symbol, value: unknown): boolean {
    return Reflect.set(raw, name, value, raw)
  }

  #methodOf(raw: DrizzlePrepared, name: string | symbol, method: Method, proxy: unknown): Method {
    const isSync = raw.mode === 'sync'
    if (name === 'execute' && isSync) return (...args) => this.#execute(method, proxy, args)
    if (sending.has(name)) {
      return (...args) =>
        this.sent(name as SentMethod, () => Reflect.apply(method, raw, args), args)
    }
    if (streaming.has(name))
      return (...args) =>
        this.streamed(name as StreamedMethod, () => Reflect.apply(method, raw, args), args)
    return (...args) => {
      const result = Reflect.apply(method, raw, args) as unknown
      // `setToken()` returns what it was called on.
      return result === raw ? proxy : result
    }
  }

  sent(method: SentMethod, send: () => unknown, args: readonly unknown[]): unknown {
    const { recorder } = this.#layer
    if (!recorder.isEnabled) return this.#unmeasured(send)
    const outer = statementCall()
    // A call inside another one of the same query: where it gets the rows that the other one decodes, that shows how long.
    if (outer instanceof DrizzleObservation && outer.query === this)
      return rowSources.has(method) ? decoded(outer, send) : send()
    if (method === 'queryWithCache' || this.#isControlling) return send()
    const control = this.#isRaw ? controlStatement(this.#query.sql) : undefined
    if (control !== undefined) return this.#control(control, send)
    const observation = this.#observe('query', args)
    let result: unknown
    try {
      result = callStatement(observation, send)
    } catch (error) {
      this.#failed(observation, error)
      throw error
    }
    if (!isThenable(result)) {
      this.#succeeded(observation, method, result)
      return result
    }
    return settled(result, (given, failure) => {
      if (failure === undefined) this.#succeeded(observation, method, given)
      else this.#failed(observation, failure.error)
    })
  }

  /** Of a synchronous driver: it gives what calls one of the others when it is awaited, or when its `sync()` is called. */
  #execute(method: Method, proxy: unknown, args: any[]): unknown {
    const later = Reflect.apply(method, proxy, args) as { resultCb: () => unknown }
    const { resultCb } = later
    later.resultCb = () => this.sent('execute', resultCb, args)
    return later
  }

  streamed(method: StreamedMethod, send: () => unknown, args: readonly unknown[]): unknown {
    if (!this.#layer.recorder.isEnabled) return send()
    const observation = this.#observe('stream', args)
    return new TimedStream<unknown>(
      callStatement(observation, send) as AsyncIterableIterator<unknown>,
      observation,
      (chunk) => (method === 'stream' && Array.isArray(chunk) ? chunk.length : 1),
      undefined,
      (outcome, error) => this.#end(observation, performance.now(), outcome, error),
    )
  }

  /** Drizzle divides transactions by statements that it sends as anybody does. */
  #control(control: ControlStatement, send: () => unknown): unknown {
    const tracker = this.#transaction
    // Of the transaction itself the layer knows when it begins and ends.
    if (control.savepoint === undefined) return this.#rootControl(control, send)
    if (tracker === undefined) return send()
    const sentMs = performance.now()
    const ended = tracker.sent(control, sentMs, sentMs)
    let result: unknown
    this.#isControlling = true
    try {
      result = send()
    } catch (error) {
      ended(performance.now(), { error }, false)
      throw error
    } finally {
      this.#isControlling = false
    }
    if (isThenable(result))
      return settled(result, (_, failure) => ended(performance.now(), failure, false))
    ended(performance.now(), undefined, false)
    return result
  }

  /** Whoever has begun a transaction by a text may end it when everything is switched off. */
  #unmeasured(send: () => unknown): unknown {
    if (!this.#layer.hasBegun || !this.#isRaw) return send()
    const control = controlStatement(this.#query.sql)
    return control === undefined || control.savepoint !== undefined
      ? send()
      : this.#rootControl(control, send)
  }

  /** Where statements share one connection, what is sent next is in the transaction that somebody has begun by a text. */
  #rootControl({ kind }: ControlStatement, send: () => unknown): unknown {
    const hasEnded = (): void => {
      this.#layer.hasBegun = kind === 'begin'
    }
    const result = send()
    if (isThenable(result))
      return settled(result, (_, failure) => {
        if (failure === undefined) hasEnded()
      })
    hasEnded()
    return result
  }

  #observe(kind: 'query' | 'stream', [values]: readonly unknown[]): DrizzleObservation {
    const { recorder, instance } = this.#layer
    const { sql, [bulkRows]: rows } = this.#query
    const params = filled(this.#query.params, values)
    const told = rows === undefined ? kind : 'bulk'
    const observation = new DrizzleObservation(this, instance, told, sql, params, performance.now())
    if (rows !== undefined) observation.bulkRows = rows
    observation.tx = this.#transaction?.current
    recorder.begin(observation)
    return observation
  }

  #succeeded(observation: DrizzleObservation, method: string, result: unknown): void {
    const endMs = performance.now()
    const { rows, affectedRows } = outcomeOf(method, result, this.#isMapped)
    observation.rows = rows
    observation.affectedRows = affectedRows
    if (observation.executedMs !== undefined) observation.decodeMs = endMs - observation.executedMs
    this.#end(observation, endMs, 'ok', undefined)
  }

  #failed(observation: DrizzleObservation, error: unknown): void {
    this.#transaction?.failed(error)
    this.#end(observation, performance.now(), 'error', error)
  }

  #end(observation: Observation, endMs: number, outcome: QueryOutcome, error: unknown): void {
    this.#transaction?.ran(observation.dbMs ?? endMs - observation.startMs - observation.waitMs)
    this.#layer.recorder.end(observation, endMs, outcome, error)
  }
}

/** The values of one call of a prepared query, which has placeholders in their stead. */
function filled(params: readonly unknown[], values: unknown): readonly unknown[] {
  if (typeof values !== 'object' || values === null) return params
  try {
    return fillPlaceholders([...params], values as Record<string, unknown>)
  } catch {
    // Some are missing, of which the driver itself will tell the caller.
    return params
  }
}

/** One call, which knows the query that it is of. */
class DrizzleObservation extends Observation {
  readonly query: TimedQuery
  /** When the driver had answered. */
  executedMs: number | undefined

  constructor(query: TimedQuery, ...of: ConstructorParameters<typeof Observation>) {
    super(...of)
    this.query = query
  }
}

/** Runs the inner call, and notes when it was over. */
function decoded(observation: DrizzleObservation, send: () => unknown): unknown {
  const result = send()
  if (isThenable(result))
    return settled(result, (_, failure) => {
      if (failure === undefined) observation.executedMs ??= performance.now()
    })
  observation.executedMs ??= performance.now()
  return result
}
