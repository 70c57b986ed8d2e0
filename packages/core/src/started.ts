import { isThenable } from './is-thenable.ts'

/**
 * Begins what a function of the user has returned. A query of Drizzle is sent when somebody waits for it: in the context of
 * whoever that is, and never where nobody does. To be called where the function is, with what it has returned.
 *
 * @returns a promise of what is no promise and yet awaited like one; anything else as it is
 */
export function started<R>(result: R): R | Promise<Awaited<R>> {
  if (result instanceof Promise || !isThenable(result)) return result
  return new Promise((resolve, reject) => {
    result.then(resolve as (value: unknown) => void, reject)
  })
}
