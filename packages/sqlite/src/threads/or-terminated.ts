import type { Reply, Thread } from './thread.ts'

/** How long a thread may go on with a step of what has been given up, in milliseconds. */
const stuckMs = 250

/** Nothing interrupts SQLite within a step: a thread that reads is given up, and another one takes its place. */
export async function orTerminated(thread: Thread, ended: Promise<Reply>): Promise<Reply> {
  const timer = setTimeout(() => void thread.terminate(), stuckMs)
  try {
    return await ended
  } finally {
    clearTimeout(timer)
  }
}
