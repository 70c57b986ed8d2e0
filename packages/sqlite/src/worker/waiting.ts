import { busyDelaysMs, isPassingBusy } from '../statement/passing-busy.ts'
import type { Inbox } from './inbox.ts'

/** It was cancelled before it had run, or between two rows of what it returns. */
export class Cancelled extends Error {}

/**
 * Runs `attempt` until another process has let go of its lock, as long as somebody still wants it.
 *
 * @throws the engine's error, once `timeoutMs` have passed; {@link Cancelled}
 */
export function whileBusy<T>(
  inbox: Inbox,
  timeoutMs: number,
  isWanted: () => boolean,
  attempt: () => T,
): T {
  const start = performance.now()
  for (let round = 0; ; round++) {
    try {
      return attempt()
    } catch (error) {
      if (!isPassingBusy(error)) throw error
      const left = timeoutMs - (performance.now() - start)
      if (left <= 0) throw error
      inbox.sleep(Math.min(busyDelaysMs[Math.min(round, busyDelaysMs.length - 1)]!, left))
      if (!isWanted()) throw new Cancelled()
    }
  }
}
