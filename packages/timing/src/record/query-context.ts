const key: unique symbol = Symbol.for('keelson.queryContext')

/** What is known of the query that an error comes from. */
export interface QueryContext {
  readonly sql: string
  /** `id` of its fingerprint. */
  readonly fingerprint: string
  /** Operation and tables. */
  readonly summary: string
  readonly paramCount: number
  /** Milliseconds until a connection was free. */
  readonly waitMs: number
  /** Milliseconds from the call of the driver to the error. */
  readonly executeMs: number
  /** The transaction it ran in; depth 0 is the root. */
  readonly transaction: { readonly id: number; readonly depth: number } | undefined
  /** Which run of the transaction's callback that was, where `retry` may run it again. */
  readonly attempt: number | undefined
}

/**
 * Puts the context on the errors themselves: class, message, stack and enumerable properties stay as they are, so that
 * nothing which compares, serialises or logs errors sees it.
 */
export function attachQueryContext(error: unknown, context: QueryContext): void {
  for (let each = error, depth = 0; isObject(each) && depth < deepestCause; depth++) {
    // What is frozen, or belongs to another realm's proxy, goes without.
    if (Object.isExtensible(each))
      Reflect.defineProperty(each, key, {
        value: context,
        enumerable: false,
        configurable: true,
        writable: true,
      })
    each = (each as { cause?: unknown }).cause
  }
}

/**
 * The query that an error comes from: `undefined` for one that comes from no measured query. Also of an error that has the
 * original as its `cause`.
 *
 * @example
 * catch (error) {
 *   logger.error({ err: error, query: queryContext(error) })
 *   throw error
 * }
 */
export function queryContext(error: unknown): QueryContext | undefined {
  for (let each = error, depth = 0; isObject(each) && depth < deepestCause; depth++) {
    const context = (each as { readonly [key]?: QueryContext })[key]
    if (context !== undefined) return context
    each = (each as { cause?: unknown }).cause
  }
  return undefined
}

/** As in `describeError`: nobody wraps deeper, and causes can go in circles. */
const deepestCause = 5

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
