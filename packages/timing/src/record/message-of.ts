import { describeError } from '@keelson/core'

/** Drizzle's `DrizzleQueryError`, whose message and fields hold the values of parameters. */
interface DrizzleWrapper {
  readonly query: unknown
  readonly params: unknown
  readonly cause?: unknown
}

/**
 * An error as it may be written down: of one that Drizzle has wrapped, what it wraps, since the wrapper says the values of
 * parameters.
 */
export function withoutParams(error: unknown): unknown {
  if (!isWrapper(error)) return error
  return error.cause ?? new Error('The query failed.')
}

/** What an error says, values of parameters apart. Never throws, whatever was thrown. */
export function messageOf(error: unknown): string {
  const inner = withoutParams(error)
  const { message } = describeError(inner)
  const cause = causeOf(inner)
  const more = cause === undefined ? '' : describeError(cause).message
  return more === '' || message.includes(more) ? message : `${message}: ${more}`
}

function causeOf(error: unknown): unknown {
  try {
    return typeof error === 'object' && error !== null
      ? (error as { readonly cause?: unknown }).cause
      : undefined
  } catch {
    return undefined
  }
}

function isWrapper(error: unknown): error is DrizzleWrapper {
  return error instanceof Error && 'query' in error && 'params' in error
}
