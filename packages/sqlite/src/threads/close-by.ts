import { settlesWithin } from '@keelson/core'
import type { Thread } from './thread.ts'

/** How long is waited for a thread that was told to end, in milliseconds: within a step of SQLite it does not hear. */
const terminationMs = 1_000

/** The same for one that has not begun, which ends by itself. */
const beginningMs = 10_000

/** Ends a thread, by force where it does not end by itself. */
export async function closeBy(thread: Thread, deadlineMs: number): Promise<boolean> {
  if (await settlesWithin(deadlineMs, thread.close())) return true
  const { isReady } = thread
  await settlesWithin(isReady ? terminationMs : beginningMs, thread.terminate())
  return !isReady
}
