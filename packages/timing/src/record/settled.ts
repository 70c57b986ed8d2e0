/**
 * Hears how a promise ends, and returns what the caller is to have. That is a promise of its own, so that a rejection which
 * the caller does not handle stays one that nobody handles. What is awaited like a promise and is none, such as a query
 * builder, may do its work each time it is asked: it is asked once.
 *
 * @param ended is called with the value, or the error as `failure`, before any handler of the caller's
 */
export function settled<R>(
  promise: PromiseLike<R>,
  ended: (value: R | undefined, failure: { readonly error: unknown } | undefined) => void,
): PromiseLike<R> {
  return promise.then(
    (value) => {
      ended(value, undefined)
      return value
    },
    (error: unknown) => {
      ended(undefined, { error })
      throw error
    },
  )
}
