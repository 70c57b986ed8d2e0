import {
  type AbortableOperationOptions,
  type ConnectionProvider,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type QueryExecutor,
  TransactionBuilder,
} from 'kysely'
import { KeelsonError } from '../errors/keelson-error.ts'

export type Consumer<T> = (connection: DatabaseConnection) => Promise<T>

/**
 * Decides where an executor's connections come from: how a query on plain `db` gets into the transaction that is open
 * around it.
 */
export interface ConnectionRoute {
  /** Whether an executor's next query has nothing to do with any transaction. */
  isPlain(tag: object | undefined): boolean
  /**
   * Stands for `executor.provideConnection(consumer)`.
   *
   * @param tag what `tagFor` has said of the executor
   * @param original Kysely's own way to the connection
   */
  provide<T>(
    tag: object | undefined,
    consumer: Consumer<T>,
    original: (consumer: Consumer<T>) => Promise<T>,
  ): Promise<T>
  /**
   * Says what an executor with a connection provider of its own stands for: the handle of a transaction, or of
   * `db.connection()`.
   *
   * @param executor the one it is made from
   * @param tag what that one stands for
   */
  tagFor(
    executor: QueryExecutor,
    tag: object | undefined,
    provider: ConnectionProvider,
  ): object | undefined
}

/** Sees each time that a connection is asked for, whatever the route to it. */
export interface ConnectionWatch {
  /**
   * Is called when an executor asks for a connection, in the async context of the caller.
   *
   * @param executor set where it is one of `db`, and not of a transaction's handle
   * @returns what gets the connection in place of the consumer, and is to hand it on at once
   */
  asked<T>(consumer: Consumer<T>, executor: QueryExecutor | undefined): Consumer<T>
}

/** On an adapter: who watches its executors. */
const watchKey: unique symbol = Symbol.for('keelson.kysely.connectionWatch')
type Watched = object & { [watchKey]?: ConnectionWatch }

/** The watch of a database, by its executors' adapter. */
export function connectionWatch(adapter: object): ConnectionWatch | undefined {
  return (adapter as Watched)[watchKey]
}

/** Sets it; the executors have to be patched by `routeExecutors`. */
export function setConnectionWatch(adapter: object, watch: ConnectionWatch): void {
  Object.defineProperty(adapter, watchKey, { value: watch, configurable: true })
}

const patched: unique symbol = Symbol.for('keelson.kysely.executorRoutes')
/** On an executor: what the route has said of it. */
const tag: unique symbol = Symbol('tag')
/** On an executor that has a provider of its own. */
const bound: unique symbol = Symbol('bound')
type Tagged = DefaultQueryExecutor & { [tag]?: object; [bound]?: true }
const derivations = ['withPlugin', 'withPlugins', 'withPluginAtFront', 'withoutPlugins'] as const

/**
 * Patches the executors' prototype, once per copy of Kysely and not before the first layered dialect is used. Executors
 * without a route work as before.
 *
 * @throws {KeelsonError} `UNSUPPORTED_KYSELY` when the executors no longer work as they did in 0.29
 */
export function routeExecutors(routeOf: (adapter: object) => ConnectionRoute | undefined): void {
  const prototype = DefaultQueryExecutor.prototype
  if (patched in prototype) return
  assertKnownShape(prototype)
  // oxlint-disable-next-line typescript/unbound-method -- they are called with the executor as `this`
  const { provideConnection, withConnectionProvider } = prototype

  prototype.provideConnection = function <T>(
    this: DefaultQueryExecutor,
    asking: Consumer<T>,
    options?: AbortableOperationOptions,
  ): Promise<T> {
    // A query passes options on, if only `undefined`; `db.transaction()` does not.
    const isQuery = arguments.length > 1
    const watch = (this.adapter as Watched)[watchKey]
    const consumer =
      watch === undefined
        ? asking
        : watch.asked(asking, (this as Tagged)[bound] === true ? undefined : this)
    const route = routeOf(this.adapter)
    // Nearly every query is a plain one.
    if (route === undefined || (isQuery && route.isPlain((this as Tagged)[tag])))
      return provideConnection.call(this, consumer, options) as Promise<T>
    const original = (own: Consumer<T>): Promise<T> =>
      provideConnection.call(this, own, options) as Promise<T>
    return route.provide((this as Tagged)[tag], consumer, original)
  }

  prototype.withConnectionProvider = function (
    this: DefaultQueryExecutor,
    provider: ConnectionProvider,
  ): DefaultQueryExecutor {
    const made = withConnectionProvider.call(this, provider)
    ;(made as Tagged)[bound] = true
    const own = routeOf(this.adapter)?.tagFor(this, (this as Tagged)[tag], provider)
    if (own !== undefined) (made as Tagged)[tag] = own
    return made
  }

  for (const name of derivations) {
    const original = prototype[name] as (...args: unknown[]) => DefaultQueryExecutor
    const derive = function (this: DefaultQueryExecutor, ...args: unknown[]): DefaultQueryExecutor {
      const made = original.apply(this, args)
      if ((this as Tagged)[bound] === true) (made as Tagged)[bound] = true
      const own = (this as Tagged)[tag]
      if (own !== undefined) (made as Tagged)[tag] = own
      return made
    }
    Object.defineProperty(prototype, name, { value: derive, configurable: true, writable: true })
  }
  Object.defineProperty(prototype, patched, { value: true })
}

/** What the patch rests on: an executor asks its provider for a connection, hands on its adapter, and is not frozen. */
function assertKnownShape(prototype: DefaultQueryExecutor): void {
  const adapter = {}
  const asked: unknown[] = []
  const provider = { provideConnection: async (consumer: unknown) => void asked.push(consumer) }
  let works = false
  try {
    const executor = new DefaultQueryExecutor({} as never, adapter as never, {} as never)
    const made = executor.withConnectionProvider(provider as never)
    const consumer = async (): Promise<void> => {}
    void made.provideConnection(consumer)
    works = made.adapter === adapter && asked[0] === consumer && Object.isExtensible(made)
  } catch {
    // Said below.
  }
  // What tells a transaction from a query.
  let given = 0
  const counting = { provideConnection: async (...args: unknown[]) => void (given = args.length) }
  void new TransactionBuilder({ executor: counting } as never).execute(async () => {})
  if (works && given === 1 && derivations.every((name) => typeof prototype[name] === 'function'))
    return
  throw new KeelsonError(
    'UNSUPPORTED_KYSELY',
    'Keelson does not know this version of Kysely: its DefaultQueryExecutor works in another way. ' +
      'Install a version that the peer dependency of the package allows.',
  )
}
