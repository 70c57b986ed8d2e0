import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describeError, quoteIdentifier } from '@keelson/core'
import { BulkInsertError, RowError } from '../errors.ts'
import type { Host, HostSession } from '../host/host.ts'
import type { Target } from '../host/target.ts'
import { methodFor } from '../method/method-for.ts'
import type { Attempt, Method } from '../method/method.ts'
import { type BulkOptions, checkForEngine } from '../options.ts'
import type { BulkInsertReport } from '../report.ts'
import { type Run, RowShaper } from '../shape/row-shaper.ts'
import { readTableInfo, type TableInfo } from '../shape/table-info.ts'
import { RowSource } from '../source/row-source.ts'
import { checkKeys } from './check-keys.ts'
import { insertIsolated } from './isolation.ts'
import { insertPlain } from './plain-row.ts'
import { columnOf } from './row-fault.ts'
import { Tally } from './tally.ts'
import { Validation } from './validation.ts'

/** How long rows are prepared and sent before others get a turn, in milliseconds. */
const sliceMs = 8

/** Carries the row that is to blame to where the report is made. */
class RowRejected extends Error {
  readonly rowIndex: number
  override readonly cause: unknown

  constructor(rowIndex: number, cause: unknown) {
    super('a row was rejected')
    this.rowIndex = rowIndex
    this.cause = cause
  }
}

/** Inserts all rows of an input. */
export async function runBulkInsert(
  host: Host,
  target: Target,
  rows: unknown,
  options: BulkOptions,
): Promise<BulkInsertReport<any>> {
  checkForEngine(options, host.traits, host.isInTransaction)
  options.signal?.throwIfAborted()
  const source = new RowSource('bulkInsert()', rows)
  return new BulkRun(host, target, source, options).run()
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
  #batchRows: number | undefined
  #table: TableInfo | undefined
  /** Position in the input of the next row to be read. */
  #position = 0
  #durableRows = 0
  #sliceStart = performance.now()

  constructor(host: Host, target: Target, source: RowSource, options: BulkOptions) {
    this.#host = host
    this.#target = target
    this.#source = source
    this.#options = options
    this.#tally = new Tally(source.total)
    this.#validation = options.validate === undefined ? undefined : new Validation(options.validate)
    this.#batchRows = options.batchRows
  }

  async run(): Promise<BulkInsertReport<any>> {
    try {
      if (this.#options.atomic === false) await this.#runInBatches()
      else await this.#runAtOnce()
    } catch (error) {
      this.#tally.undone()
      await this.#source.close().catch(() => {})
      throw this.#failure(error)
    }
    return this.#tally.report(this.#durableRows)
  }

  async #runAtOnce(): Promise<void> {
    // The lock of the engine is taken when there is something to write, not while the first row is waited for.
    const first = await this.#read(this.#batchRows ?? 1_000)
    if (first.length === 0) return
    const { isInTransaction } = this.#host
    await this.#host.atomically(async (session) => {
      await this.#prepare(session)
      const before = await this.#count(session)
      for (let rows = first; rows.length > 0; rows = await this.#read(this.#rowsPerBatch)) {
        await this.#insertBatch(rows, session)
        await this.#pause()
      }
      await this.#noteCount(session, before)
    })
    this.#tally.kept()
    this.#durableRows = isInTransaction ? 0 : this.#position
  }

  async #runInBatches(): Promise<void> {
    for (;;) {
      const rows = await this.#read(
        this.#method === undefined ? (this.#batchRows ?? 1_000) : this.#rowsPerBatch,
      )
      if (rows.length === 0) return
      if (this.#isolatesByTransaction) await this.#insertBatch(rows, undefined)
      else {
        await this.#host.atomically(async (session) => {
          await this.#prepare(session)
          const before = await this.#count(session)
          await this.#insertBatch(rows, session)
          await this.#noteCount(session, before)
        })
        this.#tally.kept()
      }
      this.#durableRows = this.#position
      await this.#pause()
    }
  }

  /** DuckDB undoes the transaction around a failed statement: each attempt has one of its own. */
  get #isolatesByTransaction(): boolean {
    return (
      this.#host.traits.engine === 'duckdb' && (this.#options.onRejected ?? 'abort') !== 'abort'
    )
  }

  get #rowsPerBatch(): number {
    return this.#batchRows ?? this.#method!.batchRows
  }

  async #read(max: number): Promise<unknown[]> {
    this.#options.signal?.throwIfAborted()
    const rows = await this.#source.next(max)
    this.#options.signal?.throwIfAborted()
    return rows
  }

  async #prepare(session: HostSession): Promise<void> {
    if (this.#method !== undefined) return
    const { conflict, returning } = this.#options
    const { traits } = this.#host
    const table = await readTableInfo(traits.engine, session, this.#target)
    checkKeys(this.#target, table, this.#options, traits.engine)
    this.#table = table
    this.#shaper = new RowShaper(this.#target, table)
    this.#method = methodFor(
      {
        traits,
        isOwnDriver: session.isOwnDriver,
        target: this.#target,
        table,
        conflict,
        duplicates: this.#options.duplicatesInInput ?? 'error',
        returning,
      },
      this.#host.dates,
    )
  }

  async #insertBatch(rows: readonly unknown[], session: HostSession | undefined): Promise<void> {
    if (this.#method === undefined) await this.#host.atomically((own) => this.#prepare(own))
    const first = this.#position
    this.#position += rows.length
    const runs: Run[] = []
    for (let at = 0; at < rows.length; at++) {
      const index = first + at
      try {
        const row =
          this.#validation === undefined ? rows[at] : await this.#validation.check(rows[at])
        this.#shaper!.add(runs, row, index)
      } catch (error) {
        if (!(error instanceof RowError)) throw error
        // What came before it goes first, so that the first row that is to blame is the one that is named.
        for (const run of runs.splice(0)) await this.#insertRun(run, session)
        await this.#reject(index, rows[at], error)
      }
    }
    for (const run of runs) await this.#insertRun(run, session)
    this.#tally.sent(this.#method!.name)
    const { onProgress } = this.#options
    if (onProgress !== undefined) this.#inContext(() => onProgress(this.#tally.progress))
  }

  async #insertRun(run: Run, session: HostSession | undefined): Promise<void> {
    const method = this.#method!
    const { target, table } = { target: this.#target, table: this.#table! }
    const insertOn = (on: HostSession, from: number, to: number): Promise<Attempt> =>
      run.isPlain || target.changesValues
        ? insertPlain(on, target, table, run, from, to, this.#options)
        : method.insert(on, run, from, to)
    const returned: Promise<unknown>[] = []
    await insertIsolated(run, {
      signal: this.#options.signal,
      canGoOn: session === undefined || this.#host.traits.engine !== 'duckdb',
      insert: (from, to) =>
        session === undefined
          ? this.#inOwnTransaction((own) => insertOn(own, from, to), from, to)
          : insertOn(session, from, to),
      duplicateIn: (from, to) => method.duplicateIn(run, from, to),
      done: (from, to, outcome) => {
        if (session !== undefined) this.#tally.add(to - from, outcome)
        const { onReturned } = this.#options
        if (onReturned === undefined) return
        returned.push(this.#deliver(outcome.returned, run.indexes[from]!))
      },
      reject: (position, error) => this.#reject(run.indexes[position]!, run.rows[position]!, error),
    })
    for (const each of returned) await each
  }

  async #deliver(rows: readonly Record<string, unknown>[], firstIndex: number): Promise<void> {
    const delivered = await this.#target.deliver(rows)
    await this.#inContext(async () => this.#options.onReturned!(delivered, { firstIndex }))
  }

  async #inOwnTransaction(
    insert: (session: HostSession) => Promise<Attempt>,
    from: number,
    to: number,
  ): Promise<Attempt> {
    let attempt: Attempt | undefined
    try {
      await this.#host.atomically(async (session) => {
        const before = await this.#count(session)
        attempt = await insert(session)
        if (attempt.failure !== undefined) throw attempt.failure.error
        this.#tally.add(to - from, attempt.outcome)
        await this.#noteCount(session, before)
      })
    } catch (error) {
      if (attempt?.failure === undefined) throw error
      return attempt
    }
    this.#tally.kept()
    return attempt!
  }

  async #reject(rowIndex: number, row: unknown, error: unknown): Promise<void> {
    const { onRejected = 'abort', maxRejections = 1_000 } = this.#options
    this.#tally.reject()
    if (onRejected === 'abort') throw new RowRejected(rowIndex, error)
    const rejection = { rowIndex, row, column: columnOf(error), error }
    if (onRejected === 'collect') this.#tally.rejections.push(rejection)
    else await this.#inContext(async () => onRejected(rejection))
    if (this.#tally.rejected > maxRejections)
      throw new RowRejected(rowIndex, tooMany(maxRejections))
  }

  async #count(session: HostSession): Promise<number | undefined> {
    if (!this.#method!.countsTable) return undefined
    const { engine } = this.#host.traits
    const { schema, table } = this.#target
    const name = [...(schema === undefined ? [] : [schema]), table]
      .map((part) => quoteIdentifier(part, engine))
      .join('.')
    const { rows } = await session.query(`select count(*) as n from ${name}`)
    return Number(rows[0]!['n'])
  }

  async #noteCount(session: HostSession, before: number | undefined): Promise<void> {
    if (before === undefined) return
    const after = await this.#count(session)
    this.#tally.counted(after! - before)
  }

  async #pause(): Promise<void> {
    if (performance.now() - this.#sliceStart < sliceMs) return
    await nextTurn()
    this.#sliceStart = performance.now()
  }

  #failure(error: unknown): unknown {
    const report = this.#tally.report(this.#durableRows)
    const { signal, showValues = false, atomic } = this.#options
    if (signal?.aborted === true && error === signal.reason) return error
    const kept =
      atomic === false
        ? `The first ${report.durableRows} rows of the input are decided and committed, what follows is not written.`
        : 'Nothing was written.'
    if (error instanceof RowRejected) {
      const { cause, rowIndex } = error
      const column = columnOf(cause)
      return new BulkInsertError(
        `Row ${rowIndex} of the input ${causeText(cause, showValues)} ${kept}`,
        { report, rowIndex, column, cause },
      )
    }
    if (error instanceof BulkInsertError) return error
    const isOfEngine = describeError(error).category !== 'unknown'
    if (!isOfEngine && !this.#source.isDone) return this.#sourceFailure(error, report, kept)
    return new BulkInsertError(
      `The bulk insert into ${JSON.stringify(this.#target.table)} failed: ${withStop(messageOf(error, showValues))} ${kept}`,
      { report, cause: error },
    )
  }

  #sourceFailure(cause: unknown, report: BulkInsertReport, kept: string): BulkInsertError {
    return new BulkInsertError(
      `The bulk insert into ${JSON.stringify(this.#target.table)} failed after ${this.#position} rows of the input: ` +
        `${withStop(messageOf(cause, true))} ${kept}`,
      { report, cause },
    )
  }
}

function causeText(cause: unknown, showValues: boolean): string {
  if (cause instanceof RowError) return cause.message
  return `was refused: ${withStop(messageOf(cause, showValues))}`
}

function messageOf(error: unknown, showValues: boolean): string {
  if (!(error instanceof Error)) return String(error)
  const { category, message } = describeError(error, { includeValues: showValues })
  return category === 'unknown' ? error.message : message
}

function withStop(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}

function tooMany(maxRejections: number): RowError {
  return new RowError(
    'INVALID_ROW',
    `is one too many that was rejected: more than ${maxRejections} (maxRejections). Look at the rejections, or allow more.`,
  )
}
