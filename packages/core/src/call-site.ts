// `packages/` in this repository. Installed packages are told by `node_modules`.
const own = new URL('../..', import.meta.url).href.replace('file://', '')
const isOwnFolder = own.endsWith('/packages/')

/**
 * Remembers the stack of the call, for `callSite`; its text is made only when somebody reads it.
 *
 * @param frames how many to remember: the user's lies behind those of the ORM and of the promises between. Each costs time.
 */
export function captureCallSite(frames = 32): Error {
  if (known !== undefined) return known
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = frames
  const site = new Error()
  Error.stackTraceLimit = limit
  return site
}

let known: Error | undefined

/**
 * Has `captureCallSite` answer with a stack that was remembered before, as long as `fn` runs without waiting: a layer
 * around a driver has been closer to the caller, and one stack is enough.
 */
export function atCallSite<R>(site: Error, fn: () => R): R {
  const outer = known
  known = site
  try {
    return fn()
  } finally {
    known = outer
  }
}

/** `file:line:column` of the first frame outside Keelson, the ORMs and Node. */
export function callSite(site: Error): string | undefined {
  for (const line of (site.stack ?? '').split('\n').slice(1)) {
    if (line.includes('node_modules') || line.includes('node:')) continue
    if (isOwnFolder && line.includes(own)) continue
    const [, place] = /\(?((?:file:|\/|[A-Za-z]:\\)[^()]*:\d+:\d+)\)?$/.exec(line) ?? []
    if (place !== undefined) return place.replace('file://', '')
  }
  return undefined
}
