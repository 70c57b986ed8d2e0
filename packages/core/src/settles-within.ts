/**
 * Whether a promise is fulfilled within some time. Its rejection is passed on.
 *
 * @param timeMs in milliseconds, at most 2,147,483,647
 */
export async function settlesWithin(timeMs: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeMs)
  })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
