import type { QueryEvent } from '@keelson/core'
import { hasMysqlStrings } from '../fingerprint/tokens.ts'
import { Histogram } from '../stats/histogram.ts'
import { Registry } from '../stats/registry.ts'
import { Window } from '../stats/window.ts'
import type { DatabaseInstance } from './database-instance.ts'
import { type PoolGauges, shareInUse } from './pool-reader.ts'
import { TransactionStats } from './transaction-stats.ts'

/** How a database is called, and what of it can be looked into. */
export interface WatchedDatabaseOptions {
  /**
   * How it is called in reports and metrics: databases of one engine that are given one name are counted as one.
   * @default the name of its engine, numbered where there are several
   */
  readonly name?: string | undefined
  /** The pool of its driver, for gauges and the saturation rule: of pg, mysql2, tarn or Keelson. */
  readonly pool?: unknown
}

/** What is counted under one name. */
export class WatchedDatabase {
  readonly name: string
  readonly source: QueryEvent['source']
  /** OpenTelemetry's `db.system.name`. */
  readonly system: string
  /** When the rules look at it next, by `performance.now()`. */
  nextLookMs = 0
  registry: Registry
  readonly window: Window = new Window()
  transactions: TransactionStats = new TransactionStats()
  /** How long statements have waited for a connection, in milliseconds. */
  waits: Histogram = new Histogram()
  totalWaitMs = 0
  maxWaitMs = 0
  /** Statements that are on their way. */
  running = 0
  /** Whether statements have to wait for each other, since there is one connection. */
  readonly hasOneConnection: boolean
  /** How many have it open: several may be given one name. */
  users = 1
  /** Whether reports tell of it. */
  isListed = false
  readonly #maxFingerprints: number
  /** Those of its instances whose pool is known. Nobody tells when one of Drizzle's is used no more. */
  readonly #pooled = new Set<WeakRef<DatabaseInstance>>()

  constructor(
    name: string,
    source: QueryEvent['source'],
    system: string,
    hasOneConnection: boolean,
    maxFingerprints: number,
  ) {
    this.#maxFingerprints = maxFingerprints
    this.registry = new Registry(maxFingerprints, hasMysqlStrings(system))
    this.name = name
    this.source = source
    this.system = system
    this.hasOneConnection = hasOneConnection
  }

  hasPool(instance: DatabaseInstance): void {
    this.#instances()
    this.#pooled.add(new WeakRef(instance))
  }

  /** Reads its pool: of several the one of which most is in use. */
  get gauges(): (() => PoolGauges | undefined) | undefined {
    const [instance, ...others] = this.#instances()
    if (instance === undefined || others.length === 0) return instance?.gauges
    return () =>
      [instance, ...others]
        .flatMap(({ gauges }) => gauges?.() ?? [])
        .reduce<PoolGauges | undefined>((most, each) => {
          return most === undefined || shareInUse(each) > shareInUse(most) ? each : most
        }, undefined)
  }

  #instances(): DatabaseInstance[] {
    return Array.from(this.#pooled).flatMap((each) => {
      const instance = each.deref()
      if (instance?.gauges !== undefined) return instance
      this.#pooled.delete(each)
      return []
    })
  }

  /** Takes over all that was counted of another one, which begins anew. */
  absorb(other: WatchedDatabase): void {
    this.registry.absorb(other.registry)
    this.transactions.absorb(other.transactions)
    this.waits.add(other.waits)
    this.totalWaitMs += other.totalWaitMs
    this.maxWaitMs = Math.max(this.maxWaitMs, other.maxWaitMs)
    // Whoever holds statistics of it looks them up again.
    other.registry.clear()
    other.registry = new Registry(other.#maxFingerprints, hasMysqlStrings(other.system))
    other.transactions = new TransactionStats()
    other.waits = new Histogram()
    other.totalWaitMs = 0
    other.maxWaitMs = 0
  }

  waited(ms: number): void {
    this.waits.record(ms)
    this.totalWaitMs += ms
    if (ms > this.maxWaitMs) this.maxWaitMs = ms
  }
}
