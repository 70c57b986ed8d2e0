/** What the event loop did meanwhile. */
export interface LoopReport<R> {
  readonly result: R
  /** How often it came round. */
  readonly turns: number
  /**
   * The most that this process worked while nothing else could run, in milliseconds of processor time: what others do
   * with the processor meanwhile says nothing about the loop.
   */
  readonly longestGapMs: number
  /** What it worked in all, in milliseconds of processor time. */
  readonly workedMs: number
  /** What it took by the clock. */
  readonly elapsedMs: number
}

/** Watches the event loop while something runs. */
export async function watchingLoop<R>(run: () => Promise<R>): Promise<LoopReport<R>> {
  const start = performance.now()
  let turns = 0
  let longestGapMs = 0
  const workedBefore = processorMs()
  let last = workedBefore
  const look = (): void => {
    const now = processorMs()
    longestGapMs = Math.max(longestGapMs, now - last)
    last = now
  }
  const timer = setInterval(() => {
    turns++
    look()
  }, 1)
  try {
    const result = await run()
    look()
    const workedMs = processorMs() - workedBefore
    return { result, turns, longestGapMs, workedMs, elapsedMs: performance.now() - start }
  } finally {
    clearInterval(timer)
  }
}

/** The processor time of all threads of this process so far, in milliseconds. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** The next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Waits for that many microtasks. */
export async function microtasks(count: number): Promise<void> {
  for (let passed = 0; passed < count; passed++) await Promise.resolve()
}
