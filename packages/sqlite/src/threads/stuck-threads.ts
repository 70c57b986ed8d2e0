import { settlesWithin } from '@keelson/core'
import type { Reply, Thread } from './thread.ts'

/** How long a thread may go on with a step of what has been given up, in milliseconds. */
const stuckMs = 250

/** Nothing interrupts SQLite within a step: a thread that reads is given up, and another one takes its place. */
export async function orTerminated(thread: Thread, ended: Promise<Reply>): Promise<Reply> {
  if (!(await settlesWithin(stuckMs, ended))) void thread.terminate()
  return ended
}

/** Waits for as long as a statement that is not stuck takes to notice that it was given up. */
export async function unlessLate(reply: Promise<Reply>): Promise<Reply | undefined> {
  return (await settlesWithin(stuckMs, reply)) ? reply : undefined
}
