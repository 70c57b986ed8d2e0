/** Over 300 lines, being one subject: the course of one bulk insert, batch after batch. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  KeelsonError,
  type Later,
  started,
  type Steps,
  takeSteps,
  takeStepsNow,
  wait,
} from '@keelson/core'
import { RowError } from '../errors.ts'
import type { Host, HostSession } from '../host/host.ts'
import { qualifiedName } from '../host/qualified-name.ts'
import type { Target } from '../host/target.ts'
import { batchRows, batchRowsBeside } from '../method/batch-rows.ts'
import { methodFor } from '../method/method-for.ts'
import { type Attempt, type Method, nothing, type Outcome } from '../method/method.ts'
import { type BulkOptions, checkForEngine } from '../options.ts'
import type { BulkInsertReport, Rejection } from '../report.ts'
import { RowShaper } from '../shape/row-shaper.ts'
import type { Run } from '../shape/run.ts'
import { readTableInfo, type TableInfo } from '../shape/table-info.ts'
import { RowSource } from '../source/row-source.ts'
import { checkKeys, columnsOf } from './check-keys.ts'
import { DecidedRows } from './decided-rows.ts'
import { columnNamed, failureOf, RowRejected } from './failure.ts'
import { findRow, type SentRows, type UnplacedFailure } from './find-row.ts'
import { insertIsolated } from './isolation.ts'
import { KeyChoice } from './key-choice.ts'
import { insertPlain } from './plain-row.ts'
import { sameKeys } from './same-keys.ts'
import { Tally } from './tally.ts'
import { Validation } from './validation.ts'

/** How long rows are prepared and sent before others get a turn, in milliseconds. */
const sliceMs = 8

/** After this many rows that are made ready the driver, which sends others meanwhile, gets its turn. */
const rowsBeside = 512

/** Inserts all rows of an input. */
export async function runBulkInsert(
  host: Host,
  target: Target,
  rows: unknown,
  options: BulkOptions,
): Promise<BulkInsertReport<any>> {
  checkForEngine(options, host.traits, host.isInTransaction)
  options.signal?.throwIfAborted()
  const prepare = (): BulkRun =>
    new BulkRun(host, target, new RowSource('bulkInsert()', rows), options)
  return (host.asCaller === undefined ? prepare() : host.asCaller(prepare)).run()
}

class BulkRun {
  readonly #host: Host
  readonly #target: Target
  readonly #source: RowSource
  readonly #options: BulkOptions
  readonly #tally: Tally
  readonly #validation: Validation | undefined
  /** Callbacks are the caller's, and run where they were handed over. */
  readonly #inContext = AsyncLocalStorage.snapshot()
  #method: Method | undefined
  #shaper: RowShaper | undefined
  #batchRows: number
  #table: TableInfo | undefined
  /** The columns of the conflict's target. */
  #key: readonly string[] | undefined
  /** Position in the input of the next row to be read. */
  #position = 0
  #durableRows = 0
  #decided: DecidedRows | undefined
  /** Of the one transaction that everything goes into. */
  #begun: { failure: unknown } | undefined
  #unplaced: UnplacedFailure | undefined
  #sliceStart = performance.now()
  #hasWarned = false

  constructor(host: Host, target: Target, source: RowSource, options: BulkOptions) {
    this.#host = host
    this.#target = target
    this.#source = source
    this.#options = options
    this.#tally = new Tally(source.total)
    this.#validation = options.validate === undefined ? undefined : new Validation(options.validate)
    this.#batchRows = options.batchRows ?? batchRows[host.traits.engine]
  }

  async run(): Promise<BulkInsertReport<any>> {
    try {
      if (this.#options.atomic === false) await this.#runInBatches()
      else await this.#runAtOnce()
    } catch (error) {
      const thrown = await takeSteps(this.#named(error))
      this.#tally.undone()
      await this.#source.close().catch(() => {})
      throw this.#failure(thrown)
    }
    return this.#tally.report(this.#durableRows)
  }

  /** Where the engine does not say which row has failed: the error that names it, if that can be found out. */
  *#named(error: unknown): Steps<unknown> {
    const failure = this.#unplaced
    if (failure === undefined || failure.error !== error || this.#host.isInTransaction) return error
    try {
      const found = yield* findRow(failure, {
        host: this.#host,
        hasConflict: this.#options.conflict !== undefined,
        signal: this.#options.signal,
        insert: (session, { run, from, to }) => this.#insertRows(session, run, from, to, undefined),
      })
      if (found === undefined) return error
      const { run } = failure.rows
      const { position, error: cause } = found
      this.#tally.reject()
      return new RowRejected(run.indexes[position]!, run.rows[position]!, cause)
    } catch {
      // What the caller is told is what has failed first.
      return error
    }
  }

  async #runAtOnce(): Promise<void> {
    const { isInTransaction, isSynchronous } = this.#host
    // The lock of the engine is taken when there is something to write, not while the first row is waited for. A synchronous
    // transaction around the call is over by then.
    const first =
      isInTransaction && isSynchronous
        ? takeStepsNow(this.#read(), rowsTooLateError)
        : await takeSteps(this.#read())
    if (first.length === 0) return
    await takeSteps(this.#host.atomically((session) => this.#insertOnce(first, session)))
    this.#tally.kept()
    this.#durableRows = isInTransaction ? 0 : this.#position
  }

  *#insertOnce(first: readonly unknown[], session: HostSession): Steps<void> {
    if (this.#begun !== undefined) throw notAgainError(this.#begun.failure)
    this.#begun = { failure: undefined }
    try {
      yield* this.#insertAll(first, session)
    } catch (error) {
      this.#begun.failure = error
      throw error
    }
  }

  *#insertAll(first: readonly unknown[], session: HostSession): Steps<void> {
    yield* this.#prepare(session)
    const before = yield* this.#count(session)
    const { isSynchronous } = this.#host
    if (this.#method!.isBeside(session) && !isSynchronous) yield* this.#insertBeside(first, session)
    else
      for (let rows = first; rows.length > 0; rows = yield* this.#read()) {
        yield* this.#insertBatch(rows, session)
        if (this.#isOverdue && !isSynchronous) yield* wait(this.#pause())
      }
    yield* this.#noteCount(session, before)
  }

  /** While one batch is sent, the next one is read and made ready. */
  *#insertBeside(first: readonly unknown[], session: HostSession): Steps<void> {
    let sending: Promise<void> | undefined
    for (let rows = first; rows.length > 0; rows = yield* this.#readBeside(sending)) {
      const before = sending
      sending = takeSteps(this.#insertBatch(rows, session, before))
      // It is heard of when it is its turn.
      sending.catch(() => {})
      if (before !== undefined) yield* wait(before)
      // What is ready goes on its way before the next rows are worked on.
      yield* wait(this.#pause())
    }
    if (sending !== undefined) yield* wait(sending)
  }

  /** Reads on, unless the rows that are being sent fail. */
  *#readBeside(sending: Promise<void> | undefined): Steps<unknown[]> {
    const reading = takeSteps(this.#read())
    reading.catch(() => {})
    try {
      return yield* wait(
        sending === undefined ? reading : Promise.race([reading, sending.then(() => reading)]),
      )
    } catch (error) {
      // Those come before it in the input, and nothing may be under way when the transaction ends.
      if (sending !== undefined) yield* wait(sending)
      throw error
    }
  }

  async #runInBatches(): Promise<void> {
    for (;;) {
      const rows = await takeSteps(this.#read())
      if (rows.length === 0) return
      await takeSteps(
        this.#isolatesByTransaction ? this.#insertIsolated(rows) : this.#insertTogether(rows),
      )
      this.#tally.kept()
      this.#durableRows = this.#position
      if (this.#isOverdue) await this.#pause()
    }
  }

  /** One batch in one transaction. */
  #insertTogether(rows: readonly unknown[]): Steps<void> {
    const first = this.#position
    return this.#host.atomically((session) => {
      // A retry or a policy of the database's may run it again, from the beginning.
      this.#position = first
      this.#tally.begin()
      return this.#insertOne(rows, session)
    })
  }

  *#insertOne(rows: readonly unknown[], session: HostSession): Steps<void> {
    yield* this.#prepare(session)
    const before = yield* this.#count(session)
    yield* this.#insertBatch(rows, session)
    yield* this.#noteCount(session, before)
  }

  /** One batch in as many transactions as it takes to leave out what is to blame. */
  *#insertIsolated(rows: readonly unknown[]): Steps<void> {
    if (this.#method === undefined) yield* this.#host.atomically((own) => this.#prepare(own))
    yield* this.#insertBatch(rows, undefined)
  }

  /** DuckDB undoes the transaction around a failed statement: each attempt has one of its own. */
  get #isolatesByTransaction(): boolean {
    return this.#host.traits.engine === 'duckdb' && !this.#aborts
  }

  *#read(): Steps<unknown[]> {
    this.#options.signal?.throwIfAborted()
    const rows = yield* wait(this.#unlessAborted(this.#source.next(this.#batchRows)))
    this.#options.signal?.throwIfAborted()
    return rows
  }

  /** Waits for rows no longer than the caller does. */
  #unlessAborted<T>(rows: Later<T>): Later<T> {
    const { signal } = this.#options
    if (signal === undefined || !(rows instanceof Promise)) return rows
    let stop: () => void
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason as Error)
      signal.addEventListener('abort', stop, { once: true })
    })
    return Promise.race([rows, aborted]).finally(() => signal.removeEventListener('abort', stop))
  }

  *#prepare(session: HostSession): Steps<void> {
    if (this.#method !== undefined) return
    const { conflict, returning } = this.#options
    const { traits } = this.#host
    const needsKeys = conflict !== undefined
    if (session.worksBeside === true) this.#batchRows = this.#options.batchRows ?? batchRowsBeside
    const table = yield* readTableInfo(traits.engine, session, this.#target, needsKeys)
    checkKeys(this.#target, table, this.#options, traits.engine)
    this.#table = table
    const key = conflict?.target && columnsOf(this.#target, table, conflict.target)
    this.#key = key
    this.#shaper = new RowShaper(this.#target, table, this.#keysOfOptions(table))
    this.#method = methodFor(
      {
        traits,
        isOwnDriver: session.isOwnDriver,
        target: this.#target,
        table,
        conflict,
        key,
        duplicates: this.#options.duplicatesInInput ?? 'error',
        returning,
      },
      this.#host.dates,
    )
  }

  /** What the options call columns, by their names in the database. */
  #keysOfOptions(table: TableInfo): ReadonlyMap<string, string> {
    const { target = [], update } = this.#options.conflict ?? {}
    const keys = [...(Array.isArray(update) ? (update as readonly string[]) : []), ...target]
    return new Map(columnsOf(this.#target, table, keys).map((name, at) => [name, keys[at]!]))
  }

  /** @param before what has to be over before anything of these rows is sent or told */
  *#insertBatch(
    rows: readonly unknown[],
    session: HostSession | undefined,
    before?: Promise<unknown>,
  ): Steps<void> {
    const first = this.#position
    this.#position += rows.length
    const shaper = this.#shaper!
    const runs: Run[] = []
    const refused: Refusal[] = []
    for (let at = 0; at < rows.length;) {
      try {
        if (this.#validation === undefined) {
          // What sends the others on a thread of its own needs no turns of this one.
          const givesTurns = before !== undefined && session?.worksBeside !== true
          const end = givesTurns ? Math.min(at + rowsBeside, rows.length) : rows.length
          shaper.addAll(runs, rows, at, end, first)
          at = end
          if (at < rows.length) yield* wait(nextTurn())
          continue
        }
        shaper.add(runs, yield* wait(this.#validation.check(rows[at])), first + at)
        at++
      } catch (error) {
        if (!(error instanceof RowError)) throw error
        if (this.#validation === undefined) at = shaper.position - first
        refused.push({ rowIndex: first + at, row: rows[at], error })
        if (this.#aborts) break
        at++
      }
    }
    yield* this.#insertRuns(runs, refused, session, before)
    this.#tally.sent(this.#target.changesValues ? 'multi-row-values' : this.#method!.name)
    this.#tellProgress()
  }

  /** Nothing waits for the listener, and what it throws changes nothing. */
  #tellProgress(): void {
    const { onProgress } = this.#options
    if (onProgress === undefined) return
    const failed = (error: unknown): void => {
      if (this.#hasWarned) return
      this.#hasWarned = true
      process.emitWarning(
        `onProgress of bulkInsert() threw; this and its later errors are ignored. ${String(error)}`,
        { type: 'KeelsonWarning', code: 'KEELSON_LISTENER' },
      )
    }
    try {
      const result = this.#inContext(() => started(onProgress(this.#tally.progress)))
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  /** @param refused rows that cannot be sent, in their order */
  *#insertRuns(
    runs: readonly Run[],
    refused: Refusal[],
    session: HostSession | undefined,
    before: Promise<unknown> | undefined,
  ): Steps<void> {
    const isOwn = session === undefined
    const isFirst = this.#options.atomic === false || runs[0]?.indexes[0] === 0
    const sent: SentRows[] = []
    const canGoOn = !this.#table!.failsOtherwise && (isOwn || this.#host.traits.engine !== 'duckdb')
    yield* insertIsolated(runs, {
      signal: this.#options.signal,
      canGoOn,
      isApart: runs.length > 1 || runs[0]?.isPlain === true || this.#target.changesValues,
      choose: () => this.#choose(runs, session, before, canGoOn),
      insert: (run, from, to) => {
        const insertOn = (on: HostSession): Steps<Attempt> =>
          this.#insertRows(on, run, from, to, before)
        return isOwn ? this.#inOwnTransaction(insertOn, to - from) : insertOn(session)
      },
      duplicatesIn: (run, from, to) => this.#method!.duplicatesIn?.(run, from, to) ?? [],
      done: (run, from, to, outcome) => {
        sent.push({ run, from, to })
        return this.#done(run, from, to, outcome, isOwn)
      },
      passOver: ({ run, position }) => this.#passOver(run.indexes[position]!, isOwn),
      reject: ({ run, position }, error) => {
        const rowIndex = run.indexes[position]!
        return this.#rejectUpTo(refused, { rowIndex, row: run.rows[position]!, error })
      },
      unplaced: (run, from, to, error) => {
        // Of others it would not be known whether anything of the transaction is left.
        if (this.#host.traits.engine !== 'duckdb') return
        this.#unplaced = { error, rows: { run, from, to }, before: sent, isFirst }
      },
    })
    if (refused.length === 0) return
    if (before !== undefined) yield* wait(before)
    yield* this.#rejectUpTo(refused, undefined)
  }

  /** Asks the engine which rows of a batch have one key, before they are sent apart. */
  *#choose(
    runs: readonly Run[],
    session: HostSession | undefined,
    before: Promise<unknown> | undefined,
    canGoOn: boolean,
  ): Steps<KeyChoice | undefined> {
    const { duplicatesInInput = 'error' } = this.#options
    const method = this.#method!
    const key = this.#key
    if (method.sameKeys === undefined || key === undefined) return undefined
    if (before !== undefined) yield* wait(before)
    const groups = yield* sameKeys(runs, {
      key,
      canGoOn,
      isExpression: (value) =>
        typeof value === 'object' && value !== null && this.#target.isExpression(value),
      ask: (keys) =>
        session === undefined
          ? this.#host.atomically((own) => method.sameKeys!(own, keys))
          : method.sameKeys!(session, keys),
    })
    return new KeyChoice(duplicatesInInput, groups)
  }

  *#insertRows(
    session: HostSession,
    run: Run,
    from: number,
    to: number,
    before: Promise<unknown> | undefined,
  ): Steps<Attempt> {
    const target = this.#target
    if (run.isPlain || target.changesValues) {
      if (before !== undefined) yield* wait(before)
      const { traits } = this.#host
      return yield* insertPlain(session, target, this.#table!, run, from, to, this.#options, traits)
    }
    const attempt = yield* this.#method!.insert(session, run, from, to, before)
    // Where that has failed, this has failed with it, and no row of it is to blame.
    if (before !== undefined) yield* wait(before)
    return attempt
  }

  /** @param isOwn whether they were counted and committed in a transaction of their own */
  *#done(run: Run, from: number, to: number, outcome: Outcome, isOwn: boolean): Steps<void> {
    if (isOwn) this.#noteKept(run.indexes.slice(from, to))
    else this.#tally.add(to - from, outcome)
    const { onReturned } = this.#options
    if (onReturned === undefined) return
    const rows = yield* wait(this.#target.deliver(outcome.returned))
    yield* wait(
      this.#inContext(() => started(onReturned(rows, { firstIndex: run.indexes[from]! }))),
    )
  }

  /** As the engine counts it that leaves out a row for another one of its statement. */
  #passOver(index: number, isOwn: boolean): void {
    this.#tally.add(1, nothing)
    if (!isOwn) return
    this.#tally.kept()
    this.#noteKept([index])
  }

  #noteKept(indexes: readonly number[]): void {
    for (const index of indexes) this.#noteDecided(index)
    this.#options.onKept?.(indexes)
  }

  #noteDecided(index: number): void {
    this.#decided ??= new DecidedRows(this.#durableRows)
    this.#decided.add(index)
    this.#durableRows = this.#decided.end
  }

  *#inOwnTransaction(
    insert: (session: HostSession) => Steps<Attempt>,
    rows: number,
  ): Steps<Attempt> {
    const failed: Attempt[] = []
    let inserted: Attempt
    try {
      inserted = yield* this.#host.atomically((session) =>
        this.#attempt(session, insert, rows, failed),
      )
    } catch (error) {
      const [attempt] = failed
      if (attempt?.failure === undefined) throw error
      // What came before the failure was undone with it.
      const { done, failure } = attempt
      const { size, position } = failure
      return {
        outcome: nothing,
        done: 0,
        failure: {
          error: failure.error,
          size: done + size,
          position: position === undefined ? undefined : done + position,
        },
      }
    }
    this.#tally.kept()
    return inserted
  }

  /** @param failed takes the attempt that failed, whose error undoes the transaction */
  *#attempt(
    session: HostSession,
    insert: (session: HostSession) => Steps<Attempt>,
    rows: number,
    failed: Attempt[],
  ): Steps<Attempt> {
    const before = yield* this.#count(session)
    const attempt = yield* insert(session)
    if (attempt.failure !== undefined) {
      failed.push(attempt)
      throw attempt.failure.error
    }
    this.#tally.add(rows, attempt.outcome)
    yield* this.#noteCount(session, before)
    return attempt
  }

  /** Rejects a row, after those of others that come before it; undefined for all of those. */
  *#rejectUpTo(refused: Refusal[], rejection: Refusal | undefined): Steps<void> {
    const end = rejection?.rowIndex ?? Number.POSITIVE_INFINITY
    while (refused.length > 0 && refused[0]!.rowIndex < end) yield* this.#reject(refused.shift()!)
    if (rejection !== undefined) yield* this.#reject(rejection)
  }

  *#reject({ rowIndex, row, error }: Refusal): Steps<void> {
    const { onRejected = 'abort', maxRejections = 1_000 } = this.#options
    this.#tally.reject()
    if (this.#isolatesByTransaction) this.#noteDecided(rowIndex)
    if (this.#aborts) throw new RowRejected(rowIndex, row, error)
    const rejection = { rowIndex, row, column: columnNamed(error, this.#shaper), error }
    if (typeof onRejected !== 'function') this.#tally.collect(rejection)
    else yield* wait(this.#inContext(() => started(onRejected(rejection))))
    if (this.#tally.rejected > maxRejections)
      throw new RowRejected(rowIndex, row, tooMany(maxRejections))
  }

  get #aborts(): boolean {
    return (this.#options.onRejected ?? 'abort') === 'abort'
  }

  *#count(session: HostSession): Steps<number | undefined> {
    if (!this.#method!.countsTable) return undefined
    const name = qualifiedName(this.#target, this.#host.traits.engine)
    const rows = yield* wait(session.query(`select count(*) as n from ${name}`))
    return Number(rows[0]!['n'])
  }

  *#noteCount(session: HostSession, before: number | undefined): Steps<void> {
    if (before === undefined) return
    const after = yield* this.#count(session)
    this.#tally.counted(after! - before)
  }

  get #isOverdue(): boolean {
    return performance.now() - this.#sliceStart >= sliceMs
  }

  /** Others get a turn. */
  async #pause(): Promise<void> {
    await nextTurn()
    this.#sliceStart = performance.now()
  }

  #failure(error: unknown): unknown {
    return failureOf(error, {
      report: this.#tally.report(this.#durableRows),
      options: this.#options,
      target: this.#target.table,
      table: this.#table,
      shaper: this.#shaper,
      rowsBefore: this.#source.hasThrown(error) ? this.#position : undefined,
    })
  }
}

type Refusal = Omit<Rejection, 'column'>

/** A retry or a policy that the database has for every transaction cannot have the rows a second time. */
function notAgainError(cause: unknown): KeelsonError {
  return new KeelsonError(
    'NOT_REPEATABLE',
    'The transaction of a bulk insert cannot be run again by a retry or policy: its rows have been read. Call bulkInsert() ' +
      'inside a transaction(db, fn) that makes its rows anew, or use `atomic: false`. Nothing was written.',
    cause === undefined ? undefined : { cause },
  )
}

function rowsTooLateError(): KeelsonError {
  return new KeelsonError(
    'SYNCHRONOUS_DRIVER',
    'bulkInsert() cannot wait for its rows inside a transaction of better-sqlite3 under Drizzle, which is over when they come. ' +
      'Give them as an array or an iterable; or use @keelson/sqlite. Nothing was written.',
  )
}

function tooMany(maxRejections: number): RowError {
  return new RowError(
    'INVALID_ROW',
    `is one too many that was rejected: more than ${maxRejections} (maxRejections). Look at the rejections, or allow more.`,
  )
}
