import { SingleConnectionProvider, type DatabaseConnection } from 'kysely'
import { ConnectionBusyError, KeelsonError } from '../errors/keelson-error.ts'
import { excerpt } from '../excerpt.ts'

/**
 * A transaction, and `db.connection()`, hand their one connection to one caller after the other through Kysely's
 * `SingleConnectionProvider`. A caller that is itself awaited by the one before it waits for ever, and no driver ever
 * hears of it: a query inside the loop over a stream of the same transaction, or a query on the `db` of
 * `db.connection()` inside a transaction of that `db`.
 *
 * The guard turns both into `ConnectionBusyError`. It acts only on connections that carry {@link connectionUse}.
 */
export const connectionUse: unique symbol = Symbol.for('keelson.kysely.connectionUse')

/** How long a caller waits for a transaction that another one has open on the same connection. */
export interface ConnectionPatience {
  /** In milliseconds, at most what a timer takes: 2,147,483,647. */
  readonly timeoutMs: number
  /** The option that says so, for the message. */
  readonly option: string
}

/** What a connection is in use for, as far as it concerns those who wait for it. */
export class ConnectionUse {
  readonly #session: { readonly inTransaction: boolean }
  readonly patience: ConnectionPatience
  /** The stream that is open on the connection. */
  streamSql: string | undefined
  /** The queues that have a caller on the connection, the innermost last. */
  readonly queues: ConnectionQueue[] = []

  constructor(session: { readonly inTransaction: boolean }, patience: ConnectionPatience) {
    this.#session = session
    this.patience = patience
  }

  get inTransaction(): boolean {
    return this.#session.inTransaction
  }

  /** What tells the present caller from the next one: `undefined` while the connection serves one purpose only. */
  get turn(): object | undefined {
    return this.queues[0]?.turn
  }

  streamOpened(sql: string): void {
    this.streamSql = sql
    // They asked before the stream was there to refuse them; the innermost queue is the one it came through.
    this.queues.at(-1)?.refuseWaiting(streamOpenError(sql))
  }

  streamClosed(): void {
    this.streamSql = undefined
  }
}

type Consumer<T> = (connection: DatabaseConnection) => Promise<T>
type Provide = <T>(consumer: Consumer<T>) => Promise<T>

interface Waiter {
  readonly refuse: (error: ConnectionBusyError) => void
}

/** The callers of one provider: those who wait for its connection and the one who has it. */
class ConnectionQueue {
  readonly #use: ConnectionUse
  readonly #waiting = new Set<Waiter>()
  #callers = 0
  /** Another one whenever the connection is given to another caller. */
  turn: object = {}
  /** Whether a transaction was open already when the connection was given to the caller who has it now. */
  #startedInTransaction = false

  constructor(use: ConnectionUse) {
    this.#use = use
  }

  provide<T>(provide: Provide, consumer: Consumer<T>): Promise<T> {
    const { streamSql } = this.#use
    if (streamSql !== undefined) return Promise.reject(streamOpenError(streamSql))
    if (this.#callers > 0) return this.#wait(provide, consumer)
    this.enter()
    const result = provide(consumer)
    result.then(this.leave, this.leave)
    return result
  }

  refuseWaiting(error: ConnectionBusyError): void {
    for (const waiter of this.#waiting) waiter.refuse(error)
  }

  enter(): void {
    if (this.#callers++ > 0) return
    this.turn = {}
    this.#startedInTransaction = this.#use.inTransaction
    this.#use.queues.push(this)
  }

  readonly leave = (): void => {
    if (--this.#callers === 0) this.#use.queues.splice(this.#use.queues.indexOf(this), 1)
  }

  async #wait<T>(provide: Provide, consumer: Consumer<T>): Promise<T> {
    let refused: ConnectionBusyError | undefined
    let timer: NodeJS.Timeout | undefined
    this.enter()
    try {
      return await new Promise<T>((resolve, reject) => {
        const waiter: Waiter = {
          refuse: (error) => {
            refused = error
            this.#waiting.delete(waiter)
            reject(error)
          },
        }
        this.#waiting.add(waiter)
        if (!this.#startedInTransaction) timer = this.#watchTransaction(waiter)
        provide(async (connection) => {
          clearInterval(timer)
          this.#waiting.delete(waiter)
          // The provider still comes round to a caller who has long been told that it will not.
          if (refused !== undefined) throw refused
          this.turn = {}
          this.#startedInTransaction = this.#use.inTransaction
          return await consumer(connection)
        }).then(resolve, reject)
      })
    } finally {
      clearInterval(timer)
      this.leave()
    }
  }

  /** Refuses the waiter when the caller who has the connection has begun a transaction on it and does not end it. */
  #watchTransaction(waiter: Waiter): NodeJS.Timeout {
    const { patience } = this.#use
    return setInterval(() => {
      if (this.#use.inTransaction) waiter.refuse(transactionOpenError(patience))
    }, patience.timeoutMs)
  }
}

const patched: unique symbol = Symbol.for('keelson.kysely.singleConnectionGuard')

/**
 * Patches the provider's prototype, once per copy of Kysely.
 *
 * @param asker the package that needs it, for the error
 * @throws {KeelsonError} `UNSUPPORTED_KYSELY` when the provider no longer works as it did in 0.29 and 0.30
 */
export function guardSingleConnections(asker: string): void {
  const prototype = SingleConnectionProvider.prototype
  if (patched in prototype) return
  assertKnownShape(asker)
  // oxlint-disable-next-line typescript/unbound-method -- it is called with the provider as `this`
  const original = prototype.provideConnection
  const queues = new WeakMap<object, ConnectionQueue | 'unguarded'>()

  prototype.provideConnection = function <T>(
    this: SingleConnectionProvider,
    consumer: Consumer<T>,
  ): Promise<T> {
    const queue = queues.get(this)
    if (queue === 'unguarded') return original.call(this, consumer) as Promise<T>
    const provide: Provide = (guarded) =>
      original.call(this, guarded as Consumer<unknown>) as Promise<never>
    if (queue !== undefined) return queue.provide(provide, consumer)

    // The provider keeps its connection in a private field; the first caller gets to see it.
    let found: ConnectionQueue | undefined
    const result = provide((connection) => {
      const use = (connection as { [connectionUse]?: ConnectionUse })[connectionUse]
      found = use && new ConnectionQueue(use)
      queues.set(this, found ?? 'unguarded')
      found?.enter()
      return consumer(connection)
    })
    if (found !== undefined) result.then(found.leave, found.leave)
    return result
  }
  Object.defineProperty(prototype, patched, { value: true })
}

/** What the patch rests on: a free provider gives its own connection to the consumer at once. */
function assertKnownShape(asker: string): void {
  const connection = {} as DatabaseConnection
  let given: unknown
  const answer: unknown = new SingleConnectionProvider(connection).provideConnection(async (it) => {
    given = it
  })
  if (given === connection && answer instanceof Promise) return
  throw new KeelsonError(
    'UNSUPPORTED_KYSELY',
    `${asker} does not know this version of Kysely: its SingleConnectionProvider works in another way. ` +
      `Install a version that the peer dependency of ${asker} allows.`,
  )
}

function streamOpenError(sql: string): ConnectionBusyError {
  return new ConnectionBusyError(
    `The transaction or connection has a stream open and can run nothing beside it: ${excerpt(sql)}. ` +
      'Read the stream to its end or leave its loop first, or run the query outside, on `db`.',
  )
}

function transactionOpenError({ timeoutMs, option }: ConnectionPatience): ConnectionBusyError {
  return new ConnectionBusyError(
    `Gave up after ${timeoutMs} ms (${option}) of waiting for a transaction that is open on the same connection. ` +
      'Inside the transaction, run the query on `trx` and not on the `db` of `db.connection()`.',
  )
}
