// `packages/` in this repository. Installed packages are told by `node_modules`.
const own = new URL('../..', import.meta.url).href.replace('file://', '')
const isOwnFolder = own.endsWith('/packages/')

/** Remembers the stack of the call, for `callSite`; its text is made only when somebody reads it. */
export function captureCallSite(): Error {
  const limit = Error.stackTraceLimit
  // The user's frame lies behind those of the ORM and of the promises between.
  Error.stackTraceLimit = 32
  const site = new Error()
  Error.stackTraceLimit = limit
  return site
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
