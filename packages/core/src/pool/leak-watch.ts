import { guardListener } from '../events/guarded-listener.ts'
import type { LeaseHolder, PooledLease } from './lease.ts'

/** A lease that was held for longer than `leakAfterMs`. */
export interface LeakReport extends LeaseHolder {
  /** `leaked`: it is still held. `recovered`: a lease that was reported before has come back. */
  readonly state: 'leaked' | 'recovered'
  /** Name of the pool. */
  readonly pool: string
  readonly stack: string
}

/** Where a lease was acquired. */
export class BorrowSite {
  readonly #holder: { stack?: string } = {}

  /** @param entry the public method that the user called; frames down to it are left out */
  constructor(entry: (...args: never[]) => unknown) {
    const limit = Error.stackTraceLimit
    // The ten frames of Node's default end inside the ORM that called its driver.
    if (!(limit > 50)) Error.stackTraceLimit = 50
    Error.captureStackTrace(this.#holder, entry)
    Error.stackTraceLimit = limit
  }

  /** The frames, one per line, the caller's first. */
  get frames(): string {
    const stack = this.#holder.stack ?? ''
    return stack
      .slice(stack.indexOf('\n') + 1)
      .split('\n')
      .map((line) => line.trim())
      .join('\n')
  }

  /** The caller's line. */
  get top(): string {
    const frames = this.frames
    const end = frames.indexOf('\n')
    return end === -1 ? frames : frames.slice(0, end)
  }
}

/** Reports each lease that is held for too long, once, and once more when it comes back after all. */
export class LeakWatch<T> {
  readonly #afterMs: number
  readonly #listener: (report: LeakReport) => void
  readonly #timers = new WeakMap<PooledLease<T>, NodeJS.Timeout>()
  readonly #reported = new WeakSet<PooledLease<T>>()

  constructor(pool: string, afterMs: number, onLeak: ((report: LeakReport) => void) | undefined) {
    this.#afterMs = afterMs
    this.#listener = guardListener(`onLeak of pool "${pool}"`, onLeak ?? warn)
  }

  watch(lease: PooledLease<T>): void {
    const timer = setTimeout(() => {
      this.#reported.add(lease)
      this.#report(lease, 'leaked')
    }, this.#afterMs)
    timer.unref()
    this.#timers.set(lease, timer)
  }

  /** Stops watching a lease that `close()` has taken back: the report of `close()` names it. */
  forget(lease: PooledLease<T>): void {
    clearTimeout(this.#timers.get(lease))
    this.#reported.delete(lease)
  }

  returned(lease: PooledLease<T>): void {
    clearTimeout(this.#timers.get(lease))
    if (this.#reported.delete(lease)) this.#report(lease, 'recovered')
  }

  #report(lease: PooledLease<T>, state: LeakReport['state']): void {
    this.#listener({
      ...lease.describe(),
      stack: lease.site?.frames ?? '',
      state,
      pool: lease.owner.name,
    })
  }
}

function warn(report: LeakReport): void {
  const what =
    report.state === 'leaked' ? 'has not been returned after' : 'was returned, but only after'
  const sql = report.sql === undefined ? '' : ` Last SQL: ${report.sql}.`
  process.emitWarning(
    `Lease ${report.id} of pool "${report.pool}" ${what} ${Math.round(report.heldMs)} ms.${sql}`,
    { type: 'KeelsonWarning', code: 'POOL_LEASE_LEAKED', detail: `Acquired\n${report.stack}` },
  )
}
