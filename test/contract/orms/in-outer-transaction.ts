import { AsyncLocalStorage } from 'node:async_hooks'
import type { Orm, Store, StreamForms, StreamSettings } from '../orm.ts'

const uncommitted = 'what is not committed is seen by nobody else'
const outermost = 'there is a transaction around everything'

/**
 * An ORM whose every call is made inside one transaction that is open around them all, as in a request or a test: what is
 * promised for a database holds inside a transaction of it.
 *
 * @param lacks what cannot work there, with the reason
 */
export function inOuterTransaction(orm: Orm, lacks: Orm['lacks'] = {}): Orm {
  return {
    ...orm,
    name: `${orm.name} in an outer transaction`,
    lacks: {
      ...orm.lacks,
      outermost,
      autoRollback: 'the engine ends the transaction around everything',
      readOnlyTransactions: 'the transaction around everything writes',
      concurrentReadsDuringTransaction: uncommitted,
      concurrentStreams: 'all share one connection',
      deferredConstraints: 'nothing inside is committed by itself',
      migrationLock: 'a migrator begins its own transaction',
      files: uncommitted,
      ...lacks,
    },
    open: async (engine, path, options) =>
      new StoreInTransaction(await orm.open(engine, path, options)),
  }
}

/** What is lacking where the transactions inside join the one around them, for want of savepoints. */
export const joining: Orm['lacks'] = {
  failsAlone: 'what fails in a transaction without savepoints fails the whole',
  nestedTransactions: "propagation: 'required' makes no transaction inside another one",
}

class StoreInTransaction implements Store {
  readonly #store: Store
  /** Whether a call comes from inside the transaction already, where its own context says more. */
  readonly #within = new AsyncLocalStorage<true>()
  #outer: Outer | undefined
  #closing: Promise<void> | undefined

  constructor(store: Store) {
    this.#store = store
  }

  get path(): string {
    return this.#store.path
  }

  add: Store['add'] = (...accounts) => this.#inside(() => this.#store.add(...accounts))
  setBalance: Store['setBalance'] = (id, balance) =>
    this.#inside(() => this.#store.setBalance(id, balance))
  accounts: Store['accounts'] = () => this.#inside(() => this.#store.accounts())
  names: Store['names'] = () => this.#inside(() => this.#store.names())
  query: Store['query'] = (forms) => this.#inside(() => this.#store.query(forms))
  run: Store['run'] = (statement) => this.#inside(() => this.#store.run(statement))
  rows: Store['rows'] = (query) => this.#inside(() => this.#store.rows(query))
  nested: Store['nested'] = (fn) => this.#inside(() => this.#store.nested(fn))
  transaction: Store['transaction'] = (fn, settings) =>
    this.#inside(() => this.#store.transaction(fn, settings))
  migrate: Store['migrate'] = (migrations) => this.#inside(() => this.#store.migrate(migrations))

  stream<Row>(forms: StreamForms<Row>, settings?: StreamSettings): AsyncIterable<Row> {
    return { [Symbol.asyncIterator]: () => this.#rows(forms, settings) }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** Each step is made inside, as the step of a loop in there would be. */
  #rows<Row>(forms: StreamForms<Row>, settings?: StreamSettings): AsyncIterator<Row> {
    let rows: AsyncIterator<Row> | undefined
    const open = (): AsyncIterator<Row> =>
      (rows ??= this.#store.stream(forms, settings)[Symbol.asyncIterator]())
    return {
      next: () => this.#inside(() => open().next()),
      return: () =>
        this.#inside(async () => (await rows?.return?.()) ?? { done: true, value: undefined }),
    }
  }

  async #inside<R>(call: () => Promise<R>): Promise<R> {
    if (this.#within.getStore() === true) return call()
    const { enter } = await (this.#outer ??= this.#begin()).begun
    // A query of Drizzle begins when it is awaited, which has to be inside as well.
    return enter(async () => await call())
  }

  #begin(): Outer {
    let end: () => void
    const toEnd = new Promise<void>((resolve) => (end = resolve))
    let ended: Promise<void>
    const begun = new Promise<{ enter: <R>(call: () => R) => R }>((resolve, reject) => {
      ended = this.#store.transaction(() =>
        this.#within.run(true, async () => {
          resolve({ enter: AsyncLocalStorage.snapshot() })
          await toEnd
        }),
      )
      ended.catch(reject)
    })
    return {
      begun,
      end: () => {
        end()
        return ended
      },
    }
  }

  /** Its commit fails if anything is left open in it. */
  async #close(): Promise<void> {
    try {
      await this.#outer?.end()
    } finally {
      await this.#store.close()
    }
  }
}

interface Outer {
  readonly begun: Promise<{ enter: <R>(call: () => R) => R }>
  /** Commits. */
  end(): Promise<void>
}
