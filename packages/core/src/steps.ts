/**
 * Work that may have to wait, written once for drivers that answer with promises and for those that answer at once: a
 * transaction of a synchronous driver (Drizzle on better-sqlite3) has to be over before anything else runs, so nothing in
 * it may be awaited.
 */
export type Steps<R> = Generator<unknown, R, unknown>

/** What a step may be: there already, or to be waited for. */
export type Later<T> = T | Promise<T>

/** Waits for a value, where it has to be waited for. */
export function* wait<T>(value: Later<T>): Steps<T> {
  return (value instanceof Promise ? yield value : value) as T
}

/** Takes the steps one after the other, and waits in between. */
export async function takeSteps<R>(steps: Steps<R>): Promise<R> {
  let step = steps.next()
  while (step.done !== true) {
    let value: unknown
    try {
      value = await step.value
    } catch (error) {
      step = steps.throw(error)
      continue
    }
    step = steps.next(value)
  }
  return step.value
}

/**
 * Takes the steps at once.
 *
 * @param refuse makes the error for a step that would have to be waited for
 */
export function takeStepsNow<R>(steps: Steps<R>, refuse: () => Error): R {
  let step = steps.next()
  while (step.done !== true) {
    // What it was about is told by its owner.
    ;(step.value as Promise<unknown>).catch(() => {})
    step = steps.throw(refuse())
  }
  return step.value
}
