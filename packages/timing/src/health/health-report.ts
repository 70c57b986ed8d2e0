import type { PoolGauges } from '../record/pool-reader.ts'
import type { WindowCounts } from '../stats/window.ts'

/** `warn`: somebody should look at it; `fail`: it does not work. */
export type HealthStatus = 'pass' | 'warn' | 'fail'

/** One thing that was looked at. */
export interface HealthCheck {
  readonly name: string
  readonly status: HealthStatus
  /** What was found. */
  readonly value?: number | string | boolean | undefined
  readonly unit?: 'ms' | 'bytes' | 'share' | undefined
  /** What is wrong, and what to do; absent where nothing is. */
  readonly message?: string | undefined
}

/** What is known of a database's health. */
export interface HealthReport {
  /** The worst of the checks. */
  readonly status: HealthStatus
  /** The process works: it answers. Nothing of a database makes it `false`, since a restart mends no database. */
  readonly live: true
  /** The database answers: send requests here. What is only a warning does not make it `false`. */
  readonly ready: boolean
  readonly database: string
  readonly system: string
  /** Wall-clock time, ISO 8601. */
  readonly checkedAt: string
  /** Milliseconds that the probe took, the wait for a connection included. */
  readonly probeMs: number
  readonly pool: PoolGauges | undefined
  /** The last minute. */
  readonly window: WindowCounts
  /** Milliseconds for which the oldest transaction is open. */
  readonly oldestTransactionMs: number | undefined
  readonly checks: readonly HealthCheck[]
}

/** What is checked, and what is too much. */
export interface HealthOptions {
  /** The probe fails after so many milliseconds, and so do the checks with it. @default 1000, or 60000 with `deep` */
  readonly timeoutMs?: number | undefined
  /** An answer that is no older is given again, so that probes cannot pile up; in milliseconds. @default 1000 */
  readonly maxAgeMs?: number | undefined
  /**
   * Look into everything that is stored as well: SQLite's `quick_check` and `foreign_key_check`. They read the whole file, 1 to
   * 3 ms for each megabyte, in which SQLite on the calling thread keeps the event loop waiting: never for an endpoint.
   * @default false
   */
  readonly deep?: boolean | undefined
  /** The size of SQLite's or DuckDB's file that is a warning, and that is more than one, in bytes; `false` for any. @default 500 MB, 1000 MB */
  readonly databaseBytes?: false | { readonly warn: number; readonly critical: number } | undefined
  /** The size of the write-ahead log that is a warning, in bytes; `false` for any. @default 64 MB */
  readonly walBytes?: number | false | undefined
  /** How long a transaction may be open before it is a warning, in milliseconds. @default 60000 */
  readonly transactionMs?: number | undefined
}
