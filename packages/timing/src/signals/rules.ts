import type { TransactionEvent } from '@keelson/core'
import type { TimingSettings } from '../options.ts'
import type { Observation } from '../record/observation.ts'
import type { DatabaseInstance } from '../record/database-instance.ts'
import type { WatchedDatabase } from '../record/watched-database.ts'
import { shareInUse } from '../record/pool-reader.ts'
import type { QueryStats } from '../stats/query-stats.ts'
import { errorRate } from '../stats/window.ts'
import { callSite } from '@keelson/core'
import { Hysteresis } from './hysteresis.ts'
import { PlanRule } from './plan-rule.ts'
import type { Raised } from './raised.ts'
import { RepetitionRule } from './repetition-rule.ts'
import { SizeRule } from './size-rule.ts'

/** How often the rules look at what is not about one query, in milliseconds. */
export const lookMs = 1_000
/** Looks in a row at which a pool has to be in use. */
const lastingLooks = 3

/** What is remembered of one database. */
interface Watched {
  readonly saturation: Hysteresis
  readonly errorRate: Hysteresis
}

/** Every rule, and when each is asked. */
export class Rules {
  readonly raised: Raised
  readonly repetition: RepetitionRule | undefined
  readonly plans: PlanRule | undefined
  readonly sizes: SizeRule | undefined
  readonly #settings: TimingSettings
  readonly #watched = new WeakMap<WatchedDatabase, Watched>()
  readonly #open = new Map<TransactionEvent, WatchedDatabase>()
  #timer: NodeJS.Timeout | undefined

  constructor(settings: TimingSettings, raised: Raised) {
    this.#settings = settings
    this.raised = raised
    if (settings.repeats !== Infinity)
      this.repetition = new RepetitionRule(settings.repeats, raised)
    if (settings.plans !== undefined)
      this.plans = new PlanRule(settings.plans, settings.cooldownMs, raised)
    if (settings.sizes !== undefined) this.sizes = new SizeRule(settings.sizes, raised)
  }

  /**
   * Whether a call was slow.
   *
   * @param ms what it took; @param limitMs what is too long for its fingerprint
   */
  isSlow(ms: number, limitMs: number): boolean {
    return ms >= this.#settings.slowMs || ms >= limitMs
  }

  slow(stats: QueryStats, observation: Observation, ms: number, limitMs: number): void {
    const { slowMs, criticalMs } = this.#settings
    const { waitMs, decodeMs, rows, site, database, sql } = observation
    const fp = database.registry.fingerprintIn(stats, sql)
    this.raised.raise(fp.id, {
      type: 'slow',
      level: ms >= criticalMs ? 'critical' : 'warn',
      fp: fp.id,
      evidence: {
        summary: fp.summary,
        sql: fp.text,
        ms,
        waitMs,
        ...(decodeMs !== undefined && { decodeMs }),
        rows,
        limitMs: Math.min(slowMs, limitMs),
        // Not that of all which have no place.
        ...(fp === stats.fp && { p95Ms: stats.quantile(0.95) }),
        database: database.name,
        ...(site !== undefined && { site: callSite(site) }),
      },
      ...slowFix(stats, ms, decodeMs ?? 0, rows),
    })
  }

  /** A query has ended: looks at the database's pool, error rate and size, once a second at most. */
  look(instance: DatabaseInstance, nowMs: number): void {
    const { database } = instance
    if (nowMs < database.nextLookMs) return
    this.lookAtGauges(database, nowMs)
    this.sizes?.look(instance, nowMs)
  }

  /** Looks at what can be seen without asking the database. */
  lookAtGauges(database: WatchedDatabase, nowMs: number): void {
    if (nowMs < database.nextLookMs) return
    database.nextLookMs = nowMs + lookMs
    const watched = this.#watchedOf(database)
    const gauges = database.gauges?.()
    if (gauges !== undefined && gauges.max > 0) {
      const share = shareInUse(gauges)
      if (watched.saturation.look(share)) {
        this.raised.raise(database.name, {
          type: 'pool_saturated',
          level: gauges.pending > 0 ? 'critical' : 'warn',
          evidence: { database: database.name, share, ...gauges, maxWaitMs: database.maxWaitMs },
          fix: 'Make transactions shorter, or give the pool more connections (its `max`), as far as the server allows.',
        })
      }
    }
    const counts = database.window.counts(nowMs)
    const { calls, errors } = counts
    const rate = errorRate(counts)
    if (watched.errorRate.look(rate)) {
      this.raised.raise(database.name, {
        type: 'error_rate',
        level: rate > 0.5 ? 'critical' : 'warn',
        evidence: { database: database.name, rate, calls, errors },
        fix: 'See the errors by category in the report; queryContext(error) tells the query of each.',
      })
    }
  }

  transactionBegins(database: WatchedDatabase, event: TransactionEvent): void {
    if (event.depth > 0 || this.#settings.longTransactionMs === Infinity) return
    this.#open.set(event, database)
    this.#timer ??= this.#wait(this.#settings.longTransactionMs)
  }

  /** Ends what looks at something by itself. */
  close(): void {
    this.#open.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  transactionEnded(event: TransactionEvent): void {
    this.#open.delete(event)
    if (this.#open.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Nothing keeps the process alive for it. */
  #wait(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#lookAtOpen(), Math.min(ms, 0x7fffffff)).unref()
  }

  #lookAtOpen(): void {
    const { longTransactionMs } = this.#settings
    const now = performance.now()
    let next = Infinity
    for (const [event, database] of this.#open) {
      // What waits for its connection is not open yet.
      const sentMs = event.startMs + (event.waitMs ?? 0)
      const left = sentMs + longTransactionMs - now
      // A timer may fire up to a millisecond early.
      if (left > 1) {
        next = Math.min(next, left)
        continue
      }
      this.#open.delete(event)
      this.raised.raise(String(event.id), {
        type: 'long_tx',
        level: 'warn',
        evidence: {
          database: database.name,
          transaction: event.id,
          openMs: now - sentMs,
          queries: event.queries,
        },
        fix: 'Do what needs no database (network calls, computing) before the transaction or after it, and give it a `timeoutMs`.',
      })
    }
    this.#timer = next === Infinity ? undefined : this.#wait(next)
  }

  #watchedOf(database: WatchedDatabase): Watched {
    let watched = this.#watched.get(database)
    if (watched === undefined) {
      const { poolSaturation, errorRate } = this.#settings
      watched = {
        saturation: new Hysteresis(poolSaturation, poolSaturation * 0.75, lastingLooks),
        errorRate: new Hysteresis(errorRate, errorRate / 2, 1),
      }
      this.#watched.set(database, watched)
    }
    return watched
  }
}

function slowFix(
  { plan }: QueryStats,
  ms: number,
  decodeMs: number,
  rows: number,
): { readonly fix?: string } {
  if (plan !== undefined && plan.scans.length > 0)
    return {
      fix: `It reads all of ${plan.scans.join(', ')}: create an index on the columns it selects by.`,
    }
  if (decodeMs > ms / 2)
    return {
      fix: `More than half of it was decoding ${rows} rows: select fewer columns or rows, or stream them.`,
    }
  return {}
}
