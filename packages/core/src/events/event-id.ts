const key = Symbol.for('keelson.event-id')

/**
 * The next number of the sequence that all events of this process share, starting at 1.
 *
 * The sequence hangs on `globalThis`, so that two installed copies of this package still number into one sequence.
 * A worker thread has its own.
 */
export function nextEventId(): number {
  const host = globalThis as { [key]?: { last: number } }
  const sequence = (host[key] ??= { last: 0 })
  sequence.last += 1
  return sequence.last
}
