/** How often, how fast and how long a batch is sent again. */
export interface RetryPolicy {
  readonly attempts: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
  readonly maxAgeMs: number
}

/**
 * How long to wait before the next attempt: anything up to a bound that doubles with each one, so that those who failed
 * together do not come back together.
 *
 * @param failed how many attempts have failed, from 1
 */
export function retryDelay({ minDelayMs, maxDelayMs }: RetryPolicy, failed: number): number {
  const bound = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failed, 30))
  return minDelayMs + Math.random() * Math.max(0, bound - minDelayMs)
}
