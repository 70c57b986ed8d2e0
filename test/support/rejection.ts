/** The error that a promise is rejected with, or that a function throws. */
export async function rejection(
  failing: PromiseLike<unknown> | (() => unknown),
): Promise<Error & Record<string, unknown>> {
  try {
    await (typeof failing === 'function' ? failing() : failing)
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('It was expected to fail, and did not.')
}
