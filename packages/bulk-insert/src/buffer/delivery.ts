import { setTimeout as sleep } from 'node:timers/promises'
import { BulkInsertError, RowError } from '../errors.ts'
import type { Host } from '../host/host.ts'
import type { Target } from '../host/target.ts'
import { runBulkInsert } from '../insert/run-bulk-insert.ts'
import type { BulkOptions } from '../options.ts'
import type { BulkInsertReport } from '../report.ts'
import type { BufferSettings } from './buffer-options.ts'
import type { WriteCounts } from './buffer-stats.ts'
import type { Entry } from './entry.ts'
import { OutcomeUnknownError, RowExpiredError } from './errors.ts'
import { failureVerdict } from './failure-verdict.ts'
import { OutsideHost } from './outside-host.ts'
import { retryDelay } from './retry-delay.ts'
import { repeatedKey, sendsRowsAsSet } from './repeated-key.ts'

export interface DeadEntry {
  readonly entry: Entry
  readonly error: unknown
  /** The column that is to blame, as the row calls it, where that is known. */
  readonly column?: string | undefined
}

/** Who is told what has become of rows. */
export interface Decisions {
  written(entries: readonly Entry[], counts: WriteCounts): void
  /** Rows that cannot be inserted. Where they are to be kept, and that fails, it throws, and they stay undecided. */
  rejected(dead: readonly DeadEntry[]): Promise<void>
  /** Rows that are given up for something else; the same goes for them. */
  lost(dead: readonly DeadEntry[]): Promise<void>
  /** An attempt has failed, and another one follows. */
  retried(error: unknown): void
}

/** The buffer cannot go on by itself. */
export class DeliveryStopped extends Error {
  override readonly cause: unknown

  constructor(cause: unknown) {
    super('the buffer has stopped')
    this.cause = cause
  }
}

/**
 * Brings batches into the table, one after the other, and does not let go of one before every row of it is decided: sends
 * it again when that may help, and halves it when one of its rows is to blame.
 */
export class Delivery {
  readonly #host: OutsideHost
  readonly #target: Target
  readonly #settings: BufferSettings
  readonly #decisions: Decisions
  readonly #signal: AbortSignal
  readonly #isSet: boolean

  /** @param signal ends everything as soon as possible */
  constructor(
    host: Host,
    target: Target,
    settings: BufferSettings,
    decisions: Decisions,
    signal: AbortSignal,
  ) {
    this.#host = new OutsideHost(host)
    this.#target = target
    this.#settings = settings
    this.#decisions = decisions
    this.#signal = signal
    this.#isSet = sendsRowsAsSet(host.traits.engine, settings.conflict)
  }

  /**
   * @throws {DeliveryStopped} for an error that no row is to blame for; entries that are not decided are as they were
   * @throws the signal's reason
   */
  async deliver(batch: readonly Entry[]): Promise<void> {
    // Some of one that has stopped the buffer may have been decided by then.
    let rest: readonly Entry[] = batch.filter((entry) => !entry.isDecided)
    let failed = 0
    while (rest.length > 0) {
      this.#signal.throwIfAborted()
      const repeated = this.#isSet ? repeatedKey(rest, this.#settings.conflict!.target!) : undefined
      if (repeated !== undefined) {
        // The rows of a statement are a set to the engine: what is to come after the other goes after it.
        await this.deliver(rest.slice(0, repeated))
        rest = rest.slice(repeated)
        continue
      }
      const failure = await this.#attempt(rest)
      rest = rest.filter((entry) => !entry.isDecided)
      if (failure === undefined) continue
      const { error } = failure
      this.#signal.throwIfAborted()
      const verdict = failureVerdict(error, this.#host.isCommitting)
      if (verdict === 'stop') throw new DeliveryStopped(error)
      if (verdict === 'row') {
        await this.#divide(rest, error)
        return
      }
      if (verdict === 'unknown') {
        if (this.#settings.idempotencyKey === undefined) {
          const outcome = unknownOutcome(rest.length, error)
          await this.#decide(
            'lost',
            rest.map((entry) => ({ entry, error: outcome })),
          )
          return
        }
        for (const entry of rest) entry.mayBeThere = true
      }
      failed++
      rest = await this.#expire(rest, failed, error)
      if (rest.length === 0) return
      this.#decisions.retried(error)
      await sleep(retryDelay(this.#settings.retry, failed), undefined, { signal: this.#signal })
    }
  }

  /** One of the rows is to blame, and which one showed only when they were committed. */
  async #divide(entries: readonly Entry[], error: unknown): Promise<void> {
    if (entries.length === 1) {
      await this.#decide('rejected', [{ entry: entries[0]!, error }])
      return
    }
    const half = Math.ceil(entries.length / 2)
    await this.deliver(entries.slice(0, half))
    await this.deliver(entries.slice(half))
  }

  /** Sends rows once, and decides those of which something has become. */
  async #attempt(entries: readonly Entry[]): Promise<{ readonly error: unknown } | undefined> {
    const dead: DeadEntry[] = []
    const repeats: Entry[] = []
    let kept: Entry[] = []
    let report: BulkInsertReport | undefined
    let failure: { readonly error: unknown } | undefined
    const isDuckDB = this.#host.traits.engine === 'duckdb'
    const options: BulkOptions = {
      ...(isDuckDB
        ? // A failed statement undoes its transaction there, so that each attempt to find the row has its own.
          { atomic: false, batchRows: entries.length }
        : { atomic: true }),
      conflict: this.#settings.conflict,
      duplicatesInInput: lastCounts(this.#settings, isDuckDB || this.#isPostgresql),
      returning: undefined,
      onReturned: undefined,
      signal: this.#signal,
      maxRejections: Number.POSITIVE_INFINITY,
      onRejected: ({ rowIndex, error, column }) => {
        const entry = entries[rowIndex]!
        // That two keys are equal the engine alone could tell: it goes after the other one.
        if (isRepeat(error)) repeats.push(entry)
        else dead.push({ entry, error, column })
      },
      onKept: (indexes) => kept.push(...indexes.map((index) => entries[index]!)),
    }
    const rows = entries.map(({ row }) => row)
    try {
      report = await this.#host.run(() => runBulkInsert(this.#host, this.#target, rows, options))
      const left = new Set([...repeats, ...dead.map(({ entry }) => entry)])
      kept = entries.filter((entry) => !left.has(entry))
    } catch (error) {
      failure = { error: causeOf(error) }
      // In one transaction nothing is decided before it is committed.
      if (!isDuckDB) return failure
      if (error instanceof BulkInsertError) report = error.report
    }
    if (kept.length > 0) {
      const { inserted, updated, skipped } = report ?? noCounts
      this.#decisions.written(kept, { rows: kept.length, inserted, updated, skipped })
    }
    if (dead.length > 0) await this.#decide('rejected', dead)
    return failure
  }

  get #isPostgresql(): boolean {
    return this.#host.traits.engine === 'postgresql'
  }

  async #decide(fate: 'rejected' | 'lost', dead: readonly DeadEntry[]): Promise<void> {
    try {
      await this.#decisions[fate](dead)
    } catch (error) {
      throw new DeliveryStopped(error)
    }
  }

  /** Gives up rows that were tried long or often enough, and returns the others. */
  async #expire(
    entries: readonly Entry[],
    failed: number,
    cause: unknown,
  ): Promise<readonly Entry[]> {
    const { attempts, maxAgeMs } = this.#settings.retry
    const now = performance.now()
    const isOver = ({ since }: Entry): boolean => failed >= attempts || now - since > maxAgeMs
    const expired = entries.filter(isOver)
    if (expired.length === 0) return entries
    await this.#decide(
      'lost',
      expired.map((entry) => ({
        entry,
        error: expiredError(failed, now - entry.since, this.#settings, cause),
      })),
    )
    return entries.filter((entry) => !entry.isDecided)
  }
}

const noCounts = { inserted: undefined, updated: undefined, skipped: undefined }

/** Whether only the last of several rows with one key needs to be sent: when each would replace the one before. */
function lastCounts({ conflict }: BufferSettings, isSet: boolean): 'last' | undefined {
  const update = conflict?.update
  const replaces = update === 'all' || Array.isArray(update)
  return isSet && replaces && conflict?.where === undefined ? 'last' : undefined
}

function isRepeat(error: unknown): boolean {
  return error instanceof RowError && error.code === 'DUPLICATE_IN_INPUT'
}

function causeOf(error: unknown): unknown {
  return error instanceof BulkInsertError && 'cause' in error ? error.cause : error
}

function unknownOutcome(rows: number, cause: unknown): OutcomeUnknownError {
  return new OutcomeUnknownError(
    `A batch of ${rows} rows was sent, and the connection was lost before the answer to its COMMIT came: it may be in the ` +
      'table or not, and only the table can tell. Name an `idempotencyKey`, a unique key, to have such a batch sent again.',
    { cause },
  )
}

function expiredError(
  attempts: number,
  ageMs: number,
  { retry }: BufferSettings,
  cause: unknown,
): RowExpiredError {
  const limit =
    attempts >= retry.attempts
      ? `in ${attempts} attempts (retry.attempts)`
      : `within ${retry.maxAgeMs} ms (retry.maxAgeMs)`
  const text = cause instanceof Error ? cause.message : String(cause)
  return new RowExpiredError(
    `The row could not be written ${limit}, and is not in the table; the last error was: ${text}`,
    { attempts, ageMs, cause },
  )
}
