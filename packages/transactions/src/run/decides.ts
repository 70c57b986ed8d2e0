import { isThenable } from '@keelson/core'
import { TransactionOptionsError } from '../errors.ts'

/**
 * What `commitIf` says of a result.
 *
 * @throws {TransactionOptionsError} for a promise, which would count as `true` whatever comes of it
 */
export function decides<R>(commitIf: (result: R) => boolean, result: R): boolean {
  const keeps: unknown = commitIf(result)
  if (!isThenable(keeps)) return Boolean(keeps)
  // Nobody else would hear its rejection.
  keeps.then(
    () => {},
    () => {},
  )
  throw new TransactionOptionsError(
    'commitIf',
    'commitIf returned a promise, and decides at once. Await what it needs in the callback, and have that return it. ' +
      'Everything was rolled back.',
  )
}
