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
import { Deferral } from './deferral.ts'
import { type DeadEntry, Delivery, DeliveryStopped } from './delivery.ts'
import { type Entry, newEntry, type Ticket } from './entry.ts'
import { EntryQueue } from './entry-queue.ts'
import type { BufferClosedError, BufferFullError, BufferStoppedError } from './errors.ts'
import { type Fate, fateOf, spilled } from './fate.ts'
import { FlushWaiters } from './flush-waiters.ts'
import { Ledger } from './ledger.ts'
import { dropped, insideTransaction, Refusals } from './refusals.ts'
import { rowBytes } from './row-bytes.ts'
import { takeRow } from './row-intake.ts'
import { checkSignalOptions, closeOnSignals, type SignalOptions } from './shutdown-signals.ts'
import { decodePayload } from './spill/payload.ts'
import type { Spill } from './spill/spill.ts'
import { RowTicket, RowsTicket } from './tickets.ts'
import type { CloseOptions, WriteBuffer } from './write-buffer.ts'

/** How long batches are sent before others get a turn, in milliseconds. */
const sliceMs = 8
/** How long after its deadline `close()` waits for what is under way to say what became of it, in milliseconds. */
const graceMs = 100

/** See `WriteBuffer`. */
export class RowBuffer implements WriteBuffer<any> {
  readonly #host: Host
  readonly #settings: BufferSettings
  readonly #refusals: Refusals
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
  readonly #flushes = new FlushWaiters()
  #room: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  readonly #deferral = new Deferral()
  #stopped: BufferStoppedError | undefined
  #lastFailure: unknown
  #closing: Promise<WriteBufferStats> | undefined
  #isOver = false
  readonly #unlisten: (() => void)[] = []

  constructor(host: Host, target: Target, settings: BufferSettings, spill: Spill | undefined) {
    this.#host = host
    this.#settings = settings
    this.#refusals = new Refusals(target.table)
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
    if (this.#host.ambient?.isOpen === true) return Promise.reject(insideTransaction('flush()'))
    if (this.#isOver)
      return this.#ledger.held === 0 ? Promise.resolve() : Promise.reject(this.#leftInSpill())
    this.#stopped = undefined
    return this.#flush()
  }

  close(options: CloseOptions = {}): Promise<WriteBufferStats> {
    this.#callbacks.leave()
    if (this.#closing !== undefined) return this.#closing
    if (this.#host.ambient?.isOpen === true) return Promise.reject(insideTransaction('close()'))
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
      deferred: this.#deferral.rows,
      state: this.#isOver ? 'closed' : state,
    })
  }

  // From the caller to the queue.

  #entryOf(row: unknown, ticket: Ticket, index: number): Entry | undefined {
    try {
      return takeRow(row, this.#settings, ticket, index)
    } catch (error) {
      ticket.fail(index, error)
      this.#callbacks.rejected(row as object, error)
      return undefined
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
    if (this.#closing !== undefined) return this.#refusals.isClosed()
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
    const bytes = bytesOf(entries)
    if (this.#settings.overflow === 'error' && !this.#fits(entries.length, bytes)) {
      this.#refuse(entries, this.#fullError(entries.length))
      return
    }
    const committed = (): void => {
      const refusal = this.#refusal()
      if (refusal === undefined) this.#admit(entries)
      else this.#refuse(entries, refusal)
    }
    this.#deferral.keep(this.#host.ambient!, entries, bytes, committed, (error) =>
      this.#refuse(entries, error ?? dropped()),
    )
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
      overflow === 'error' ? [this.#deferral.rows, this.#deferral.bytes] : [0, 0]
    return (
      this.#ledger.held + reservedRows + rows <= maxRows &&
      this.#ledger.bytes + reservedBytes + bytes <= maxBytes
    )
  }

  #fullError(rows: number): BufferFullError {
    const held = this.#ledger.held + this.#deferral.rows
    const bytes = this.#ledger.bytes + this.#deferral.bytes
    return this.#refusals.full(rows, { held, bytes }, this.#settings)
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
    for (const { entry, error, column } of dead)
      if (!entry.isDecided) this.#giveUp(entry, error, isLost, column)
  }

  #giveUp(entry: Entry, error: unknown, isLost: boolean, column?: string): void {
    this.#ledger.reject(entry, isLost)
    if (!entry.isSpilled) entry.ticket?.fail(entry.index, error)
    if (isLost) this.#callbacks.lost(entry.row, error)
    else this.#callbacks.rejected(entry.row, error, column)
  }

  #stop(thrown: unknown): void {
    const cause = thrown instanceof DeliveryStopped ? thrown.cause : thrown
    this.#lastFailure = cause
    const error = this.#refusals.stopped(this.#ledger.held, cause)
    this.#stopped = error
    this.#refuse(this.#line.takeAll(), error)
    this.#room?.resolve()
    this.#room = undefined
    this.#flushes.fail(error)
    this.#callbacks.stopped(cause)
  }

  // Those who wait.

  #flush(): Promise<void> {
    const through = this.#order
    if (this.#oldest > through) return Promise.resolve()
    this.#flushThrough = Math.max(this.#flushThrough, through)
    const flushed = this.#flushes.wait(through)
    this.#wake()
    return flushed
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
    this.#flushes.decided(this.#oldest)
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
    this.#refuse(this.#line.takeAll(), this.#closed())
    await this.#spill?.idle()
    this.#abandon()
    this.#isOver = true
    this.#flushes.fail(this.#spill === undefined ? this.#closed() : this.#leftInSpill())
    await Promise.race([this.#callbacks.idle(), sleep(graceMs)])
    await this.#spill?.close()
    return this.stats
  }

  /** Gives up what is in memory only. */
  #abandon(): void {
    if (this.#spill !== undefined) return
    for (const entry of this.#inFlight)
      if (!entry.isDecided) this.#giveUp(entry, this.#refusals.unknown(this.#lastFailure), true)
    for (const entry of this.#queue.takeAll()) {
      if (entry.isDecided) continue
      const error = entry.mayBeThere ? this.#refusals.unknown(this.#lastFailure) : this.#closed()
      this.#giveUp(entry, error, true)
    }
  }

  #closed(): BufferClosedError {
    return this.#refusals.closed(this.#lastFailure)
  }

  #leftInSpill(): BufferClosedError {
    return this.#refusals.leftInSpill(this.#ledger.held)
  }
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entry.bytes
  return bytes
}
