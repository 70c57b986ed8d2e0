import { AsyncLocalStorage } from 'node:async_hooks'
import { started } from '@keelson/core'

/** What a scope may be told of what it is for. */
export interface ScopeOptions {
  /** On whose behalf it runs, for the audit sink: events have it among their scope's `tags`. */
  readonly actor?: string | undefined
  /** Whatever else events should say of it. */
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** How often a query has run within a scope. */
export interface Repetition {
  count: number
  /** How often from each place in the code, of the calls of which that was looked for. */
  readonly sites: Map<string, number>
  /** The values of the first call, as long as all calls had them; `undefined` also for what is not worth keeping. */
  firstParams: readonly unknown[] | undefined
  /** It was told of. */
  isRaised: boolean
}

/** One run of `timing.scope()`: a request, a job, a test. */
export class Scope {
  readonly name: string
  readonly actor: string | undefined
  readonly tags: Readonly<Record<string, string>> | undefined
  /** `tags` as events have them. */
  readonly told: { name: string; tags?: Record<string, string> }
  /** By database, and then by the id of the fingerprint. */
  readonly #repetitions = new Map<object, Map<string, Repetition>>()
  /** How many fingerprints are looked at. */
  fingerprints = 0
  readonly parent: Scope | undefined
  /** Of a test: how often a query may run, and a number by which each test is told of what an earlier one was told. */
  strict: { readonly limit: number; readonly id: number } | undefined

  constructor(name: string, { actor, tags }: ScopeOptions, parent: Scope | undefined) {
    this.name = name
    this.actor = actor ?? parent?.actor
    this.tags = tags
    this.parent = parent
    this.strict = parent?.strict
    const all = { ...tags, ...(this.actor !== undefined && { actor: this.actor }) }
    this.told = Object.keys(all).length === 0 ? { name } : { name, tags: all }
  }

  repetitionOf(database: object, id: string): Repetition | undefined {
    return this.#repetitions.get(database)?.get(id)
  }

  addRepetition(database: object, id: string, repetition: Repetition): void {
    let known = this.#repetitions.get(database)
    if (known === undefined) this.#repetitions.set(database, (known = new Map()))
    known.set(id, repetition)
    this.fingerprints++
  }
}

/** The scopes of one `Timing`, found through the async context. */
export class Scopes {
  readonly #storage = new AsyncLocalStorage<Scope>()
  /** Whether there has ever been one: looking costs, and many never have any. */
  isUsed = false

  run<R>(name: string, options: ScopeOptions, fn: () => R): R | Promise<Awaited<R>> {
    return this.enter(this.newScope(name, options), fn)
  }

  newScope(name: string, options: ScopeOptions): Scope {
    this.isUsed = true
    return new Scope(name, options, this.#storage.getStore())
  }

  enter<R>(scope: Scope, fn: () => R): R | Promise<Awaited<R>> {
    return this.#storage.run(scope, () => started(fn()))
  }

  get current(): Scope | undefined {
    return this.isUsed ? this.#storage.getStore() : undefined
  }
}
