import { setTimeout as sleep } from 'node:timers/promises'
import { attachSuppressed, describeError, guardListener } from '@keelson/core'
import type { RetryOptions } from '../options.ts'

/** Runs `attempt` until it succeeds, fails for good, or has failed often enough. */
export async function retrying<R>(
  retry: number | RetryOptions,
  signal: AbortSignal | undefined,
  attempt: (number: number) => Promise<R>,
): Promise<R> {
  const {
    attempts = 3,
    deadlineMs = Infinity,
    minDelayMs = 10,
    maxDelayMs = 1_000,
    when = (error: unknown) => describeError(error).retryable,
    onRetry,
  } = typeof retry === 'number' ? { attempts: retry } : retry
  const tell =
    onRetry &&
    guardListener('onRetry of transaction()', ([error, next]: Parameters<typeof onRetry>) =>
      onRetry(error, next),
    )
  const start = performance.now()
  for (let number = 1; ; number++) {
    try {
      return await attempt(number)
    } catch (error) {
      noteAttempts(error, number)
      // An outer policy must not multiply the attempts made here.
      if (isAborted(signal) || isFinal(error) || !isWorthwhile(when, error)) throw error
      // Full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
      const delayMs = Math.random() * Math.min(maxDelayMs, minDelayMs * 2 ** (number - 1))
      if (number >= attempts || performance.now() - start + delayMs > deadlineMs) {
        note(error, 'retriesExhausted', true)
        throw error
      }
      tell?.([error, { attempt: number + 1, delayMs }])
      await sleep(delayMs, undefined, signal && { signal }).catch(() => {})
      if (signal?.aborted !== true) continue
      attachSuppressed(signal.reason, error)
      throw signal.reason
    }
  }
}

/** What `when` throws does not take the place of the error it was asked about. */
function isWorthwhile(when: (error: unknown) => boolean, error: unknown): boolean {
  try {
    return when(error)
  } catch (later) {
    attachSuppressed(error, later)
    return false
  }
}

function isFinal(error: unknown): boolean {
  return mayBeCommitted(error) || codeOf(error) === 'TRANSACTION_TIMEOUT'
}

/** What happened is not known, or has happened: neither is to happen twice. */
export function mayBeCommitted(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'COMMIT_OUTCOME_UNKNOWN' || code === 'AFTER_COMMIT'
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code
}

function noteAttempts(error: unknown, attempts: number): void {
  note(error, 'attempts', attempts)
}

function note(error: unknown, name: string, value: unknown): void {
  if (typeof error !== 'object' || error === null || !Object.isExtensible(error)) return
  Object.defineProperty(error, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: false,
  })
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted ?? false
}
