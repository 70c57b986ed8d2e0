import { PoolAcquireTimeoutError } from '../errors/pool-errors.ts'
import type { PooledLease } from './lease.ts'
import type { PoolSettings } from './pool-options.ts'
import type { PoolStats } from './pool-stats.ts'

const namedHolders = 5

/** The error of a caller that waited for `acquireTimeoutMs`, with everything that helps to see why. */
export function acquireTimeoutError<T>(
  settings: PoolSettings<T>,
  stats: PoolStats,
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
  const caller = purpose === undefined ? '' : ` for ${JSON.stringify(purpose)}`
  const opening = settings.max - stats.size
  const message = [
    `Pool "${settings.name}" had no resource${caller} within ${Math.round(waitedMs)} ms (acquireTimeoutMs).`,
    holders.length === 0 ? 'No lease is held' : `${holders.length} of ${settings.max} are leased`,
    opening > 0 && lastCreateError !== undefined ? ' and opening another one failed, see `cause`.' : '.',
    sites.length === 0 ? '' : ` Held by: ${sites.join('; ')}${rest > 0 ? `; and ${rest} more` : ''}.`,
    ` ${advice(settings, holders.length)}`,
  ]
  return new PoolAcquireTimeoutError(
    `${message[0]} ${message.slice(1).join('')}`,
    waitedMs,
    holders,
    lastCreateError === undefined ? undefined : { cause: lastCreateError },
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
  const find = settings.leakAfterMs === undefined ? 'set `leakAfterMs` to see where they were acquired, ' : ''
  return (
    `Return leases sooner, ${find}or raise \`max\`. ` +
    'Code that holds a lease and acquires a second one can wait for itself.'
  )
}
