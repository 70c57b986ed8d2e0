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

/** Waits for as long as a statement that is not stuck takes to notice that it was given up. */
export async function unlessLate(reply: Promise<Reply>): Promise<Reply | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), stuckMs)
  })
  try {
    return await Promise.race([reply, late])
  } finally {
    clearTimeout(timer)
  }
}
