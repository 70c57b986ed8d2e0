import type { PooledResource } from './pooled-resource.ts'
import type { Waiter, WaitQueue } from './wait-queue.ts'

/**
 * Waits for a resource, until the signal is aborted.
 *
 * @param serve turns the resource into what the caller gets; called in the moment in which it is assigned
 * @param timedOut makes the error of a caller that waited for too long
 * @throws what `create` threw, the signal's reason, the queue's own error once it is shut
 */
export function waitInLine<T, R>(
  queue: WaitQueue<T>,
  signal: AbortSignal | undefined,
  serve: (resource: PooledResource<T>) => R,
  timedOut: () => Error,
): Promise<R> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      if (queue.remove(waiter)) reject(signal?.reason)
    }
    const left = (): void => signal?.removeEventListener('abort', aborted)
    const waiter: Waiter<T> = {
      served: (resource) => {
        left()
        resolve(serve(resource))
      },
      failed: (error) => {
        left()
        reject(error)
      },
      timedOut: () => {
        left()
        reject(timedOut())
      },
    }
    signal?.addEventListener('abort', aborted, { once: true })
    queue.lineUp(waiter)
  })
}
