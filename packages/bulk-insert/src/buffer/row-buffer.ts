/** Over 300 lines, being one subject: the way of a row from `add()` to its fate, and who waits for it. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { checkOptionNames, describeValue } from '@keelson/core'
import { RowError } from '../errors.ts'
import type { Host } from '../host/host.ts'
import type { Target } from '../host/target.ts'
import { type BufferSettings, milliseconds } from './buffer-options.ts'
import type { WriteBufferStats, WriteCounts } from './buffer-stats.ts'
import { Callbacks } from './callbacks.ts'
import { type DeadEntry, Delivery, DeliveryStopped } from './delivery.ts'
import { type Entry, newEntry, type Ticket } from './entry.ts'
import { EntryQueue } from './entry-queue.ts'
import {
  BufferClosedError,
  BufferFullError,
  BufferStoppedError,
  BufferTransactionError,
  OutcomeUnknownError,
  RowDroppedError,
} from './errors.ts'
import { type Fate, fateOf, spilled } from './fate.ts'
import { Ledger } from './ledger.ts'
import { rowBytes } from './row-bytes.ts'
import { checkSignalOptions, closeOnSignals, type SignalOptions } from './shutdown-signals.ts'
import { decodePayload, encodePayload } from './spill/payload.ts'
import type { Spill } from './spill/spill.ts'
import { RowTicket, RowsTicket } from './tickets.ts'
import type { CloseOptions, WriteBuffer } from './write-buffer.ts'

/** How long batches are sent before others get a turn, in milliseconds. */
const sliceMs = 8
/** How long after its deadline `close()` waits for what is under way to say what became of it, in milliseconds. */
const graceMs = 100

interface FlushWaiter {
  readonly through: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** See `WriteBuffer`. */
export class RowBuffer implements WriteBuffer<any> {
  readonly #host: Host
  readonly #settings: BufferSettings
  readonly #table: string
  readonly #spill: Spill | undefined
  readonly #delivery: Delivery
  readonly #callbacks: Callbacks
  readonly #ledger = new Ledger()
  /** The pump belongs to nobody's call, least of all to a transaction that a row was added in. */
  readonly #inContext = AsyncLocalStorage.snapshot()
  readonly #deadline = new AbortController()
  /** Rows whose `add()` waits for room. */
  readonly #line = new EntryQueue()
  /** Rows that are ready to be sent. */
  readonly #queue = new EntryQueue()
  #inFlight: readonly Entry[] = []
  #pump: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #order = 0
  /** Rows up to this one are sent without lingering. */
  #flushThrough = 0
  #flushes: FlushWaiter[] = []
  #room: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  #deferredRows = 0
  #deferredBytes = 0
  #stopped: BufferStoppedError | undefined
  #lastFailure: unknown
  #closing: Promise<WriteBufferStats> | undefined
  #isOver = false
  readonly #unlisten: (() => void)[] = []

  constructor(host: Host, target: Target, settings: BufferSettings, spill: Spill | undefined) {
    this.#host = host
    this.#settings = settings
    this.#table = target.table
    this.#spill = spill
    this.#callbacks = new Callbacks(settings)
    this.#delivery = new Delivery(
      host,
      target,
      settings,
      {
        written: (entries, counts) => this.#written(entries, counts),
        rejected: (dead) => this.#dead(dead, false),
        lost: (dead) => this.#dead(dead, true),
        retried: (error) => {
          this.#ledger.retries++
          this.#lastFailure = error
        },
      },
      this.#deadline.signal,
    )
    spill?.listen(
      (entries) => this.#durable(entries),
      (entries, error) => this.#undurable(entries, error),
    )
    this.#replay()
    const { signal } = settings
    if (signal === undefined) return
    const close = (): void => void this.#outside(() => this.close()).catch(() => {})
    signal.addEventListener('abort', close, { once: true })
    this.#unlisten.push(() => signal.removeEventListener('abort', close))
  }

  add(row: object): Promise<Fate> {
    const ticket = new RowTicket(this.#callbacks.hearsOfAll)
    const entry = this.#entryOf(row, ticket, 0)
    if (entry !== undefined) this.#enter([entry])
    return ticket.promise
  }

  addMany(rows: readonly object[]): Promise<readonly Fate[]> {
    if (!Array.isArray(rows)) {
      return Promise.reject(
        new RowError('NOT_A_ROW', `addMany() takes an array of rows, not ${describeValue(rows)}.`),
      )
    }
    const ticket = new RowsTicket(rows.length, this.#callbacks.hearsOfAll)
    const entries: Entry[] = []
    for (let index = 0; index < rows.length; index++) {
      const entry = this.#entryOf(rows[index], ticket, index)
      if (entry !== undefined) entries.push(entry)
    }
    if (entries.length > 0) this.#enter(entries)
    return ticket.promise
  }

  ready(): Promise<void> {
    if (this.#hasRoom || this.#refusal() !== undefined) return Promise.resolve()
    if (this.#room === undefined) {
      let resolve!: () => void
      const promise = new Promise<void>((resolved) => (resolve = resolved))
      this.#room = { promise, resolve }
    }
    return this.#room.promise
  }

  flush(): Promise<void> {
    if (this.#host.ambient?.isOpen === true) return Promise.reject(insideError('flush()'))
    if (this.#isOver)
      return this.#ledger.held === 0 ? Promise.resolve() : Promise.reject(this.#leftError())
    this.#stopped = undefined
    return this.#flush()
  }

  close(options: CloseOptions = {}): Promise<WriteBufferStats> {
    if (this.#closing !== undefined) return this.#closing
    if (this.#host.ambient?.isOpen === true) return Promise.reject(insideError('close()'))
    try {
      checkOptionNames('close()', options, ['deadlineMs'])
      const deadlineMs = milliseconds('deadlineMs', options.deadlineMs, 30_000)
      this.#closing = this.#inContext(() => this.#shutDown(deadlineMs))
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  handleSignals(options: SignalOptions = {}): () => void {
    checkSignalOptions(options)
    const stop = closeOnSignals(options, (deadlineMs) =>
      this.#outside(() => this.close({ deadlineMs })),
    )
    this.#unlisten.push(stop)
    return stop
  }

  get stats(): WriteBufferStats {
    const closing = this.#closing === undefined ? 'open' : 'closing'
    const state = this.#stopped === undefined ? closing : 'stopped'
    return this.#ledger.snapshot({
      waiting: this.#line.length,
      deferred: this.#deferredRows,
      state: this.#isOver ? 'closed' : state,
    })
  }

  // From the caller to the queue.

  #entryOf(row: object | undefined, ticket: Ticket, index: number): Entry | undefined {
    try {
      if (typeof row !== 'object' || row === null || Array.isArray(row)) {
        throw new RowError(
          'NOT_A_ROW',
          `The row is ${describeValue(row)}. A row is an object whose keys are columns.`,
        )
      }
      this.#checkKey(row)
      // Whoever fills one object again and again has added as many rows.
      const copy = { ...row }
      const payload = this.#spill === undefined ? undefined : encodePayload(copy)
      const bytes = rowBytes(copy) + (payload?.length ?? 0)
      if (bytes > this.#settings.maxBytes) {
        throw new BufferFullError(
          `add() cannot take a row of about ${bytes} bytes: the buffer holds no more than ${this.#settings.maxBytes} (maxBytes). ` +
            'Insert it by itself, or allow more.',
        )
      }
      return newEntry(copy, bytes, payload, ticket, index)
    } catch (error) {
      ticket.fail(index, error)
      this.#callbacks.rejected(row as object, error)
      return undefined
    }
  }

  #checkKey(row: object): void {
    for (const key of this.#settings.idempotencyKey ?? []) {
      if (((row as Record<string, unknown>)[key] ?? undefined) !== undefined) continue
      throw new RowError(
        'MISSING_COLUMN',
        `The row has no ${JSON.stringify(key)}, which is its idempotencyKey: without it nobody could tell whether the row is ` +
          'in the table already. Give it one before it is added.',
        key,
      )
    }
  }

  #enter(entries: readonly Entry[]): void {
    const refusal = this.#refusal()
    if (refusal !== undefined) this.#refuse(entries, refusal)
    else if (this.#host.ambient?.isOpen === true) this.#defer(entries)
    else this.#admit(entries)
  }

  /** Why no row can be taken now. */
  #refusal(): Error | undefined {
    if (this.#closing !== undefined) {
      return new BufferClosedError(
        `add() cannot take a row for ${JSON.stringify(this.#table)}: the buffer is closed. It is not in the table.`,
      )
    }
    return this.#stopped ?? this.#spill?.broken
  }

  #refuse(entries: readonly Entry[], error: unknown): void {
    for (const { ticket, index, row } of entries) {
      ticket?.fail(index, error)
      this.#callbacks.lost(row, error)
    }
  }

  /** Keeps rows until the transaction that is open around the call is committed. */
  #defer(entries: readonly Entry[]): void {
    const ambient = this.#host.ambient!
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
    if (this.#settings.overflow === 'error' && !this.#fits(entries.length, bytes)) {
      this.#refuse(entries, this.#fullError(entries.length))
      return
    }
    let isOpen = true
    const end = (use: () => void): void => {
      if (!isOpen) return
      isOpen = false
      this.#deferredRows -= entries.length
      this.#deferredBytes -= bytes
      use()
    }
    this.#deferredRows += entries.length
    this.#deferredBytes += bytes
    try {
      ambient.afterRollback(() => end(() => this.#refuse(entries, droppedError())))
      ambient.afterCommit(() =>
        end(() => {
          const refusal = this.#refusal()
          if (refusal === undefined) this.#admit(entries)
          else this.#refuse(entries, refusal)
        }),
      )
    } catch (error) {
      end(() => this.#refuse(entries, error))
    }
  }

  #admit(entries: readonly Entry[]): void {
    const waits = this.#settings.overflow === 'wait'
    if (!waits && !this.#fits(entries.length, bytesOf(entries))) {
      this.#refuse(entries, this.#fullError(entries.length))
      return
    }
    const now = performance.now()
    for (const entry of entries) {
      entry.order = ++this.#order
      if (!waits || (this.#line.length === 0 && this.#fits(1, entry.bytes)))
        this.#accept(entry, now)
      else this.#line.push(entry)
    }
    this.#wake()
  }

  #accept(entry: Entry, now: number): void {
    entry.since = now
    this.#ledger.accept(entry)
    if (this.#spill === undefined) this.#queue.push(entry)
    else this.#spill.append(entry)
  }

  /** Lets those in who wait for room. */
  #admitLine(): void {
    const now = performance.now()
    for (;;) {
      const { first } = this.#line
      if (first === undefined || !this.#fits(1, first.bytes)) break
      this.#line.take(1, first.bytes)
      this.#accept(first, now)
    }
    if (this.#room === undefined || !this.#hasRoom) return
    this.#room.resolve()
    this.#room = undefined
  }

  get #hasRoom(): boolean {
    const { maxRows, maxBytes } = this.#settings
    return this.#line.length === 0 && this.#ledger.held < maxRows && this.#ledger.bytes < maxBytes
  }

  #fits(rows: number, bytes: number): boolean {
    const { maxRows, maxBytes, overflow } = this.#settings
    // Who would rather be told than wait has to find the room when the transaction is committed.
    const [reservedRows, reservedBytes] =
      overflow === 'error' ? [this.#deferredRows, this.#deferredBytes] : [0, 0]
    return (
      this.#ledger.held + reservedRows + rows <= maxRows &&
      this.#ledger.bytes + reservedBytes + bytes <= maxBytes
    )
  }

  #fullError(rows: number): BufferFullError {
    const { maxRows, maxBytes } = this.#settings
    return new BufferFullError(
      `The buffer of ${JSON.stringify(this.#table)} has no room for ${rows} more ${rows === 1 ? 'row' : 'rows'}: it holds ` +
        `${this.#ledger.held + this.#deferredRows} of ${maxRows} (maxRows), about ${this.#ledger.bytes + this.#deferredBytes} of ` +
        `${maxBytes} bytes (maxBytes). Nothing of it was taken. Add it later, await ready(), or use overflow: 'wait'.`,
    )
  }

  // The spill.

  #replay(): void {
    const now = performance.now()
    for (const { sequence, payload } of this.#spill?.takeLeft() ?? []) {
      const row = decodePayload(payload)
      const entry = newEntry(row, rowBytes(row) + payload.length, payload, undefined, 0)
      entry.order = ++this.#order
      entry.sequence = sequence
      entry.since = now
      entry.mayBeThere = true
      entry.isSpilled = true
      this.#ledger.replay(entry)
      this.#queue.push(entry)
    }
    if (this.#queue.length === 0) return
    this.#flushThrough = this.#order
    this.#wake()
  }

  #durable(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#ledger.spill(entry)
      this.#queue.push(entry)
      entry.ticket?.settle(entry.index, spilled)
    }
    this.#wake()
  }

  #undurable(entries: readonly Entry[], error: unknown): void {
    for (const entry of entries) this.#giveUp(entry, error, true)
    this.#settled()
  }

  // From the queue to the table.

  get #isDue(): boolean {
    const { first, length, bytes } = this.#queue
    if (first === undefined) return false
    const { flushRows, flushBytes, lingerMs } = this.#settings
    return (
      length >= flushRows ||
      bytes >= flushBytes ||
      this.#line.length > 0 ||
      this.#closing !== undefined ||
      first.order <= this.#flushThrough ||
      lingerMs === 0
    )
  }

  /** Sends what is due, or sees to it that it is sent when it has lingered. */
  #wake(): void {
    if (this.#pump !== undefined || this.#stopped !== undefined) return
    if (this.#deadline.signal.aborted) return
    const { first } = this.#queue
    if (first === undefined) return
    if (this.#isDue) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      this.#pump = this.#inContext(() => this.#run())
    } else if (this.#timer === undefined) {
      const lingered = performance.now() - first.since
      this.#timer = setTimeout(
        () => {
          this.#timer = undefined
          this.#flushThrough = Math.max(this.#flushThrough, this.#queue.last?.order ?? 0)
          this.#wake()
        },
        Math.max(0, this.#settings.lingerMs - lingered),
      )
    }
  }

  async #run(): Promise<void> {
    const { flushRows, flushBytes } = this.#settings
    // What is added in the same turn goes along.
    await Promise.resolve()
    let sliceStart = performance.now()
    while (this.#isDue && !this.#deadline.signal.aborted) {
      const batch = this.#queue.take(flushRows, flushBytes)
      this.#inFlight = batch
      let failure: { readonly error: unknown } | undefined
      try {
        await this.#delivery.deliver(batch)
      } catch (error) {
        failure = { error }
      }
      this.#endBatch(batch)
      if (failure !== undefined) {
        if (!this.#deadline.signal.aborted) this.#stop(failure.error)
        break
      }
      this.#settled()
      if (performance.now() - sliceStart < sliceMs) continue
      await nextTurn()
      sliceStart = performance.now()
    }
    this.#pump = undefined
    this.#settled()
    this.#wake()
  }

  #endBatch(batch: readonly Entry[]): void {
    this.#inFlight = []
    const left = batch.findIndex((entry) => !entry.isDecided)
    if (left !== -1) this.#queue.putBack(batch.slice(left))
    const lastDecided = left === -1 ? batch.at(-1) : batch[left - 1]
    if (lastDecided !== undefined) this.#spill?.decided(lastDecided.sequence)
  }

  #written(entries: readonly Entry[], counts: WriteCounts): void {
    // What comes after the end is not for those who were told otherwise.
    if (this.#isOver) return
    const fate = fateOf(
      counts,
      entries.some((entry) => entry.mayBeThere),
    )
    this.#ledger.written(entries, counts)
    for (const { isSpilled, ticket, index } of entries) if (!isSpilled) ticket?.settle(index, fate)
  }

  async #dead(dead: readonly DeadEntry[], isLost: boolean): Promise<void> {
    if (this.#isOver) return
    await this.#spill?.bury(dead)
    for (const { entry, error } of dead) if (!entry.isDecided) this.#giveUp(entry, error, isLost)
  }

  #giveUp(entry: Entry, error: unknown, isLost: boolean): void {
    this.#ledger.reject(entry, isLost)
    if (!entry.isSpilled) entry.ticket?.fail(entry.index, error)
    if (isLost) this.#callbacks.lost(entry.row, error)
    else this.#callbacks.rejected(entry.row, error)
  }

  #stop(thrown: unknown): void {
    const cause = thrown instanceof DeliveryStopped ? thrown.cause : thrown
    this.#lastFailure = cause
    const text = cause instanceof Error ? cause.message : String(cause)
    const error = new BufferStoppedError(
      `The buffer of ${JSON.stringify(this.#table)} has stopped, and keeps its ${this.#ledger.held} rows: ${text} ` +
        'No row is to blame for that. Once it is put right, flush() tries again; until then no row is taken.',
      { cause },
    )
    this.#stopped = error
    this.#refuse(this.#line.takeAll(), error)
    this.#room?.resolve()
    this.#room = undefined
    for (const { reject } of this.#flushes.splice(0)) reject(error)
    this.#callbacks.stopped(cause)
  }

  // Those who wait.

  #flush(): Promise<void> {
    const through = this.#order
    if (this.#oldest > through) return Promise.resolve()
    this.#flushThrough = Math.max(this.#flushThrough, through)
    return new Promise((resolve, reject) => {
      this.#flushes.push({ through, resolve, reject })
      this.#wake()
    })
  }

  /** The place of the first row that is not decided. */
  get #oldest(): number {
    const first =
      this.#inFlight.find((entry) => !entry.isDecided) ??
      this.#queue.first ??
      this.#spill?.first ??
      this.#line.first
    return first?.order ?? Number.POSITIVE_INFINITY
  }

  /** Rows are decided: there is room, and a flush may be over. */
  #settled(): void {
    if (this.#isOver) return
    this.#admitLine()
    if (this.#flushes.length === 0) return
    const oldest = this.#oldest
    this.#flushes = this.#flushes.filter(({ through, resolve }) => {
      if (oldest <= through) return true
      resolve()
      return false
    })
  }

  /** Runs something that is the buffer's own, not of a transaction that is open around it. */
  #outside<R>(fn: () => R): R {
    const { ambient } = this.#host
    return ambient === undefined ? fn() : ambient.leave(fn)
  }

  async #shutDown(deadlineMs: number): Promise<WriteBufferStats> {
    // It is `#closing` that keeps new rows out, and it is set when this has returned a promise.
    await Promise.resolve()
    this.#room?.resolve()
    this.#stopped = undefined
    const { signal } = this.#deadline
    const timer = setTimeout(() => this.#deadline.abort(), deadlineMs)
    const expired = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    const done = this.#flush().then(
      () => this.#callbacks.idle(),
      () => {},
    )
    await Promise.race([done, expired])
    clearTimeout(timer)
    this.#deadline.abort()
    if (this.#pump !== undefined) await Promise.race([this.#pump, sleep(graceMs)])
    for (const remove of this.#unlisten.splice(0)) remove()
    clearTimeout(this.#timer)
    this.#refuse(this.#line.takeAll(), this.#closedError())
    await this.#spill?.idle()
    this.#abandon()
    this.#isOver = true
    for (const { reject } of this.#flushes.splice(0))
      reject(this.#spill === undefined ? this.#closedError() : this.#leftError())
    await Promise.race([this.#callbacks.idle(), sleep(graceMs)])
    await this.#spill?.close()
    return this.stats
  }

  /** Gives up what is in memory only. */
  #abandon(): void {
    if (this.#spill !== undefined) return
    for (const entry of this.#inFlight)
      if (!entry.isDecided) this.#giveUp(entry, this.#unknownError(), true)
    for (const entry of this.#queue.takeAll())
      this.#giveUp(entry, entry.mayBeThere ? this.#unknownError() : this.#closedError(), true)
  }

  #closedError(): BufferClosedError {
    return new BufferClosedError(
      `The buffer of ${JSON.stringify(this.#table)} was closed before the row could be written, and its deadline had passed ` +
        'or writing had failed. It is not in the table. Allow close() more time (deadlineMs), or use a spill.',
      this.#lastFailure === undefined ? undefined : { cause: this.#lastFailure },
    )
  }

  #leftError(): BufferClosedError {
    return new BufferClosedError(
      `flush() cannot write the ${this.#ledger.held} rows that the buffer of ${JSON.stringify(this.#table)} has left in its ` +
        'spill: it is closed. The next buffer that is made with that spill writes them.',
    )
  }

  #unknownError(): OutcomeUnknownError {
    return new OutcomeUnknownError(
      `The buffer of ${JSON.stringify(this.#table)} was closed while the row was being written: it may be in the table or ` +
        'not. Allow close() more time (deadlineMs), or use a spill.',
      this.#lastFailure === undefined ? undefined : { cause: this.#lastFailure },
    )
  }
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entry.bytes
  return bytes
}

function insideError(call: string): BufferTransactionError {
  return new BufferTransactionError(
    `${call} cannot be called inside a transaction: it waits for rows to be written outside of it, which may wait for the ` +
      'transaction itself. Call it when that has ended, or with outside(db, fn) of @keelson/transactions.',
  )
}

function droppedError(): RowDroppedError {
  return new RowDroppedError(
    'The row was added in a transaction that was rolled back, or of which it is not known that it was committed, and was ' +
      'dropped with it. Add it again, or outside of the transaction, if it is to be kept.',
  )
}
