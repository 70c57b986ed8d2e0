const own = new URL('..', import.meta.url).href

/** Remembers the stack; its text is made only when somebody reads it. */
export function captureCallSite(): Error {
  const limit = Error.stackTraceLimit
  // The user's frame lies behind those of the ORM and of the promises between.
  Error.stackTraceLimit = 32
  const site = new Error()
  Error.stackTraceLimit = limit
  return site
}

/** `file:line:column` of the first frame outside this package, the ORMs and Node. */
export function callSite(site: Error): string | undefined {
  for (const line of (site.stack ?? '').split('\n').slice(1)) {
    if (line.includes(own) || line.includes('node_modules') || line.includes('node:')) continue
    const [, place] = /\(?((?:file:|\/|[A-Za-z]:\\)[^()]*:\d+:\d+)\)?$/.exec(line) ?? []
    if (place !== undefined && !line.includes(own.replace('file://', '')))
      return place.replace('file://', '')
  }
  return undefined
}
