/**
 * Sees when a prepared query is sent. The class of a driver's prepared queries is patched once, on first use; a query that
 * nobody watches passes through. Its methods keep the query itself as `this`, which may have private members.
 */

/** Stands for the calls of one prepared query's methods. */
export interface PreparedWatch {
  /** Whether it is to be called at all. */
  readonly isWatching: boolean
  /**
   * @param method that was called: one that sends the query, or one that such a method calls for its rows
   * @param send calls it
   * @param args of the call: the values of placeholders first
   */
  sent(method: SentMethod, send: () => unknown, args: readonly unknown[]): unknown
  /** @param send gives the rows one by one, or in chunks */
  streamed(method: StreamedMethod, send: () => unknown, args: readonly unknown[]): unknown
}

export type SentMethod = 'execute' | 'all' | 'get' | 'run' | 'values' | 'queryWithCache'
export type StreamedMethod = 'iterator' | 'stream'

const sent: readonly SentMethod[] = ['execute', 'all', 'get', 'run', 'values', 'queryWithCache']
const streamed: readonly StreamedMethod[] = ['iterator', 'stream']

const brand: unique symbol = Symbol.for('keelson.drizzle.preparedPatch')
const watchKey: unique symbol = Symbol.for('keelson.drizzle.preparedWatch')

type Method = (...args: unknown[]) => unknown
type Prototype = Record<string, Method | undefined>
interface Watched {
  [watchKey]?: PreparedWatch
  readonly mode?: 'sync' | 'async'
}

/** Has a watch see the calls of a prepared query, which is no proxy. */
export function watchPrepared(prepared: object, watch: PreparedWatch): void {
  const prototype = Object.getPrototypeOf(prepared) as Prototype
  if (!Object.hasOwn(prototype, brand)) patch(prototype)
  ;(prepared as Watched)[watchKey] = watch
}

function patch(prototype: Prototype): void {
  Object.defineProperty(prototype, brand, { value: true })
  for (const method of sent)
    // Of a synchronous driver `execute` only gives what calls one of the others later.
    watchCalls(prototype, method, (query, watch, send, args) =>
      method === 'execute' && query.mode === 'sync' ? send() : watch.sent(method, send, args),
    )
  for (const method of streamed)
    watchCalls(prototype, method, (_query, watch, send, args) => watch.streamed(method, send, args))
}

function watchCalls(
  prototype: Prototype,
  method: string,
  watched: (query: Watched, watch: PreparedWatch, send: () => unknown, args: unknown[]) => unknown,
): void {
  const original = prototype[method]
  if (typeof original !== 'function') return
  Object.defineProperty(prototype, method, {
    configurable: true,
    writable: true,
    enumerable: false,
    value(this: Watched, ...args: unknown[]): unknown {
      const watch = this[watchKey]
      if (watch === undefined || !watch.isWatching) return original.apply(this, args)
      return watched(this, watch, () => original.apply(this, args), args)
    },
  })
}
