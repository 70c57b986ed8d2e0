import { PoolAcquireTimeoutError, PoolQueueFullError } from '../errors/pool-errors.ts'
import type { PooledLease } from './lease.ts'
import type { PoolSettings } from './pool-options.ts'

const namedHolders = 5

/** The error of a caller that waited for `acquireTimeoutMs`, with everything that helps to see why. */
export function acquireTimeoutError<T>(
  settings: PoolSettings<T>,
  leases: Iterable<PooledLease<T>>,
  waitedMs: number,
  purpose: string | undefined,
  lastCreateError: unknown,
): PoolAcquireTimeoutError {
  // A Set gives its members in the order of insertion: the longest held come first.
  const sites: string[] = []
  const holders = Array.from(leases, (lease) => {
    if (sites.length < namedHolders) sites.push(sentence(lease))
    return lease.describe()
  })
  const rest = holders.length - sites.length
  if (rest > 0) sites.push(`and ${rest} more`)
  const { name, max } = settings
  const caller = purpose === undefined ? '' : ` for ${JSON.stringify(purpose)}`
  const leased =
    holders.length === 0 ? 'No lease is held' : `${holders.length} of ${max} are leased`
  const hasFailed = lastCreateError !== undefined
  const failure = hasFailed ? ' and opening another one failed, see `cause`' : ''
  const heldBy = sites.length === 0 ? '' : `Held by: ${sites.join('; ')}. `
  return new PoolAcquireTimeoutError(
    `Pool "${name}" had no resource${caller} within ${Math.round(waitedMs)} ms (acquireTimeoutMs). ` +
      `${leased}${failure}. ${heldBy}${advice(settings, holders.length)}`,
    waitedMs,
    holders,
    hasFailed ? { cause: lastCreateError } : undefined,
  )
}

/** The error of a caller that found `maxWaiters` others waiting for leases. */
export function queueFullError<T>(settings: PoolSettings<T>, waiting: number): PoolQueueFullError {
  return new PoolQueueFullError(
    `Pool "${settings.name}" cannot queue another caller: all ${settings.max} resources are leased and ` +
      `${waiting} callers wait, which is \`maxWaiters\`. ` +
      'Slow the callers down, or raise `max` or `maxWaiters`.',
  )
}

function sentence<T>(lease: PooledLease<T>): string {
  const purpose = lease.purpose === undefined ? '' : ` (${lease.purpose})`
  const held = `${((performance.now() - lease.borrowedMs) / 1000).toFixed(1)} s`
  const site = lease.site === undefined ? '' : ` ${lease.site.top}`
  return `lease ${lease.id}${purpose} for ${held}${site}`
}

function advice<T>(settings: PoolSettings<T>, held: number): string {
  if (held < settings.max) return 'Check why `create` is slow or fails.'
  const find =
    settings.leakAfterMs === undefined ? 'set `leakAfterMs` to see where they were acquired, ' : ''
  return (
    `Return leases sooner, ${find}or raise \`max\`. ` +
    'Code that holds a lease and acquires a second one can wait for itself.'
  )
}
