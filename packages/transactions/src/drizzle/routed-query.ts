import { pickScope } from '../scope/pick-scope.ts'
import type { Scope } from '../scope/scope.ts'
import { ScopedStream } from '../scope/scoped-stream.ts'
import { strayControlError } from '../scope/stray-control.ts'
import type { Binding } from './driver.ts'
import type { DrizzleTransactions } from './drizzle-transactions.ts'
import {
  type DrizzlePrepared,
  type DrizzleSession,
  prepareAgain,
  sending,
  streaming,
} from './internals.ts'

type Sent = (...args: any[]) => any

/**
 * A prepared query that decides, each time it is sent, where it runs: in the transaction of its async context, in that
 * of the handle it was made with, or in none.
 *
 * What it stands for gets itself as `this`, since it has private members; and what is assigned, since a select builder
 * leaves `joinsNotNullableMap` on it afterwards.
 */
export class RoutedQuery implements ProxyHandler<DrizzlePrepared> {
  readonly #transactions: DrizzleTransactions
  readonly #raw: DrizzlePrepared
  readonly #args: readonly any[]
  /** Of the handle that the query was made with. */
  readonly #handle: Scope | undefined
  #methods: Map<string | symbol, Sent> | undefined
  #again: { readonly binding: Binding; readonly prepared: DrizzlePrepared } | undefined

  /** @param args of `prepareQuery()` */
  constructor(
    transactions: DrizzleTransactions,
    session: DrizzleSession,
    raw: DrizzlePrepared,
    args: readonly any[],
  ) {
    this.#transactions = transactions
    this.#raw = raw
    this.#args = args
    this.#handle = transactions.scopeOf(session)
  }

  get(raw: DrizzlePrepared, name: string | symbol, proxy: unknown): unknown {
    const known = this.#methods?.get(name)
    if (known !== undefined) return known
    const value = Reflect.get(raw, name, raw) as unknown
    if (typeof value !== 'function') return value
    const method = this.#methodOf(raw, name, value as Sent, proxy)
    ;(this.#methods ??= new Map()).set(name, method)
    return method
  }

  set(raw: DrizzlePrepared, name: string | symbol, value: unknown): boolean {
    return Reflect.set(raw, name, value, raw)
  }

  #methodOf(raw: DrizzlePrepared, name: string | symbol, method: Sent, proxy: unknown): Sent {
    if (sending.has(name)) return (...args) => this.#send(name, method, args)
    if (streaming.has(name)) return (...args) => this.#stream(name, method, args)
    return (...args) => {
      const result = Reflect.apply(method, raw, args) as unknown
      // `setToken()` returns what it was called on.
      return result === raw ? proxy : result
    }
  }

  get #sql(): string {
    return (this.#args[0] as { sql: string }).sql
  }

  // Not an async function: every query passes here.
  #send(name: string | symbol, method: Sent, args: any[]): Promise<unknown> {
    const { database, driver } = this.#transactions
    const store = database.context.getStore()
    if (this.#handle === undefined && store?.scope === undefined) {
      // Raw SQL has no fields. Our own drivers refuse by themselves what others send.
      const stray =
        this.#args[1] === undefined && driver.refusesControl !== true
          ? strayControlError(this.#sql)
          : undefined
      if (stray !== undefined) return Promise.reject(stray)
      const send = (): Promise<unknown> => method.apply(this.#raw, args) as Promise<unknown>
      if (!driver.watchesOutside && store === undefined) return send()
      return driver.outside(this.#sql, send, database.suspendedRoot)
    }
    return this.#sendInScope(name, args)
  }

  /** Takes its turn at once, so that what is sent first runs first. */
  #sendInScope(name: string | symbol, args: any[]): Promise<unknown> {
    try {
      const scope = this.#scope()
      const prepared = this.#preparedFor(scope) as unknown as Record<string | symbol, Sent>
      return scope.run(this.#sql, () => prepared[name]!(...args) as Promise<unknown>)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Where the query goes is decided with its first step. */
  #stream(name: string | symbol, method: Sent, args: any[]): AsyncIterableIterator<unknown> {
    if (this.#handle === undefined && this.#transactions.database.scope === undefined)
      return method.apply(this.#raw, args) as AsyncIterableIterator<unknown>
    const created = this.#scope()
    return new ScopedStream(this.#sql, this.#transactions.database, created, () => {
      const prepared = this.#preparedFor(created) as unknown as Record<string | symbol, Sent>
      return prepared[name]!(...args) as AsyncIterator<unknown>
    })
  }

  #scope(): Scope {
    const ambient = this.#transactions.database.scope
    return this.#handle === undefined ? ambient! : pickScope(this.#handle, ambient)
  }

  /** The query as it is prepared on the transaction's own session. */
  #preparedFor(scope: Scope): DrizzlePrepared {
    if (this.#handle?.root === scope.root) return this.#raw
    const binding = this.#transactions.bindingOf(scope)
    if (this.#again?.binding !== binding) {
      this.#again = { binding, prepared: prepareAgain(binding.session, this.#args, this.#raw) }
    }
    return this.#again.prepared
  }
}
