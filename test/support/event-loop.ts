/** What the event loop did meanwhile. */
export interface LoopReport<R> {
  readonly result: R
  /** How often it came round. */
  readonly turns: number
  /** The longest time in which nothing else could run, in milliseconds. */
  readonly longestGapMs: number
  readonly elapsedMs: number
}

/** Watches the event loop while something runs. */
export async function watchingLoop<R>(run: () => Promise<R>): Promise<LoopReport<R>> {
  const start = performance.now()
  let turns = 0
  let longestGapMs = 0
  let last = start
  const look = (): void => {
    const now = performance.now()
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
    return { result, turns, longestGapMs, elapsedMs: performance.now() - start }
  } finally {
    clearInterval(timer)
  }
}

/** The next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Waits for that many microtasks. */
export async function microtasks(count: number): Promise<void> {
  for (let passed = 0; passed < count; passed++) await Promise.resolve()
}
