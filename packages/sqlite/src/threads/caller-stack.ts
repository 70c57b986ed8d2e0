/** Frames of this package that stand between an error and who has called it. */
const ownFrames = 12

/** Makes an error whose stack reaches up to the caller, behind the async functions that wait for a thread. */
export function withCallerStack<E>(make: () => E): E {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = limit + ownFrames
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}
