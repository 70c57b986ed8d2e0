/**
 * The clock that everything is measured by. The global `performance` is an accessor, which takes as long as the clock itself;
 * this is the same object.
 */
const clock: typeof performance = performance

/** Milliseconds since the process began, by a clock that nobody sets. */
export function now(): number {
  return clock.now()
}
