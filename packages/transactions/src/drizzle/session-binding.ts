import { entityKind } from 'drizzle-orm'
import type { Binding } from './driver.ts'
import {
  captureHandleClass,
  cloneSession,
  type DrizzleCache,
  type DrizzleDatabase,
  type DrizzleSession,
  type HandleClass,
  type HandleKind,
  newHandle,
} from './internals.ts'

/** Makes sessions and handles of a driver that knows nothing of transactions that nest. */
export class SessionBindings {
  readonly session: DrizzleSession
  readonly #kind: HandleKind
  readonly #stub: Readonly<Record<string, unknown>>
  #handleClass: HandleClass | undefined
  #preparing: Promise<void> | undefined

  /** @param stub replaces the client while the driver makes its first handle */
  constructor(session: DrizzleSession, kind: HandleKind, stub: Readonly<Record<string, unknown>>) {
    this.session = session
    this.#kind = kind
    this.#stub = stub
  }

  prepare(): Promise<void> | undefined {
    if (this.#handleClass !== undefined) return undefined
    return (this.#preparing ??= this.#prepare())
  }

  async #prepare(): Promise<void> {
    this.#handleClass = await captureHandleClass(this.session, this.#stub)
  }

  /** @param changes to the session's properties, by which it sends to the transaction's connection */
  bind(changes: Readonly<Record<string, unknown>>): Binding {
    const { cache } = this.session
    const written = cache && isUsed(cache) ? new WrittenTables(cache) : undefined
    const all = { ...changes, ...(written && { cache: written }) }
    return {
      session: cloneSession(this.session, all),
      handle: (depth) => this.#handle(all, depth),
      ...(written && { committed: () => written.committed() }),
    }
  }

  #handle(changes: Readonly<Record<string, unknown>>, depth: number): DrizzleDatabase {
    return newHandle(this.#handleClass!, this.#kind, cloneSession(this.session, changes), depth)
  }
}

function isUsed(cache: DrizzleCache): boolean {
  return (cache.constructor as unknown as Record<symbol, unknown>)[entityKind] !== 'NoopCache'
}

/**
 * Stands for the cache in a transaction, which sees its own writes, that are nobody else's business before it is
 * committed: it asks the cache for nothing, feeds it with nothing, and tells it afterwards which tables were written.
 */
class WrittenTables {
  readonly #cache: DrizzleCache
  readonly #tables = new Set<unknown>()

  constructor(cache: DrizzleCache) {
    this.#cache = cache
  }

  strategy(): 'explicit' {
    return 'explicit'
  }

  async get(): Promise<undefined> {}

  async put(): Promise<void> {}

  async onMutate({ tables }: { tables: unknown }): Promise<void> {
    for (const table of Array.isArray(tables) ? tables : [tables]) this.#tables.add(table)
  }

  async committed(): Promise<void> {
    if (this.#tables.size > 0) await this.#cache.onMutate({ tables: [...this.#tables] })
  }
}
