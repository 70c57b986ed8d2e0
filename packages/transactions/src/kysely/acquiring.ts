import { attachSuppressed } from '@keelson/core'
import type { AbortableOperationOptions, DatabaseConnection, Driver } from 'kysely'
import {
  TransactionAcquireTimeoutError,
  TransactionDeadlockError,
  TransactionWaitTimeoutError,
} from '../errors.ts'
import type { TurnHolder } from '../scope/turn-queue.ts'
import { KyselyLine } from './kysely-line.ts'
import type { KyselyTransactions } from './kysely-transactions.ts'

/** A connection of the driver that somebody has. */
interface Lease {
  readonly turn: TurnHolder | undefined
  isReleased: boolean
}

/**
 * How often a pool is looked at, in milliseconds, and how many times in a row it must have nothing to give before it is
 * believed that it never will. Opening a connection takes its time, and a process that was paused for longer than that
 * reads what has arrived meanwhile only between two looks.
 */
const lookMs = 250
const looks = 6

/** Gets connections from the driver: one caller at a time where there is only one, and no caller for whom there never will be one. */
export class Acquiring {
  readonly #host: KyselyTransactions
  readonly #inner: Driver
  readonly #leases = new WeakMap<DatabaseConnection, Lease>()
  /** Of those who see to it themselves that they do not wait for too long. */
  readonly #limited = new WeakSet<AbortSignal>()
  #inUse = 0

  constructor(host: KyselyTransactions, inner: Driver) {
    this.#host = host
    this.#inner = inner
  }

  // Not an async function: every query passes here.
  acquire(options: AbortableOperationOptions | undefined): Promise<DatabaseConnection> {
    const { database, instance, isOwnDriver } = this.#host
    if (instance.hasOneConnection) return this.#acquireOnly(options)
    const isSuspended = database.suspendedRoot !== undefined
    if (!isOwnDriver && isSuspended) return this.#acquireSecond(options)
    const acquired = this.#inner.acquireConnection(options)
    if (!isOwnDriver) return acquired.then((connection) => this.#lend(connection, undefined))
    if (!isSuspended) return acquired
    // What would wait for the transaction that was left is refused, statement by statement.
    return acquired.then((connection) => {
      this.#host.scopeStatements(connection)
      return connection
    })
  }

  /** Gives it back. */
  async release(
    connection: DatabaseConnection,
    options?: AbortableOperationOptions,
  ): Promise<void> {
    const lease = this.#leases.get(connection)
    if (lease === undefined) {
      // One of our own drivers', which are neither counted nor waited for here.
      return this.#inner.releaseConnection(connection, options)
    }
    if (lease.isReleased) return
    lease.isReleased = true
    this.#inUse--
    try {
      await this.#inner.releaseConnection(connection, options)
    } finally {
      if (lease.turn !== undefined) this.#host.database.gate.leave(lease.turn)
    }
  }

  /** Has nobody but the signal end the wait for a connection. */
  leaveTo(signal: AbortSignal): void {
    this.#limited.add(signal)
  }

  #lend(connection: DatabaseConnection, turn: TurnHolder | undefined): DatabaseConnection {
    this.#inUse++
    this.#leases.set(connection, { turn, isReleased: false })
    this.#host.watchOf(connection)
    this.#host.scopeStatements(connection)
    return connection
  }

  async #acquireOnly(options: AbortableOperationOptions | undefined): Promise<DatabaseConnection> {
    const { database, defaults } = this.#host
    if (database.suspendedRoot !== undefined) throw onlyConnectionError()
    const turn: TurnHolder = {
      kind: 'command',
      sql: undefined,
      begun: undefined,
      since: performance.now(),
    }
    const { gate } = database
    if (!gate.tryEnter(turn)) {
      const isLimited = options?.signal !== undefined && this.#limited.has(options.signal)
      const timeoutMs = isLimited ? Infinity : (defaults.acquireTimeoutMs ?? 10_000)
      try {
        await gate.enter(
          turn,
          'a statement outside the transaction that is open',
          timeoutMs,
          options?.signal,
        )
      } catch (error) {
        if (!(error instanceof TransactionWaitTimeoutError)) throw error
        throw new TransactionAcquireTimeoutError(
          error.message.replace('waitTimeoutMs', 'acquireTimeoutMs'),
        )
      }
    }
    let connection: DatabaseConnection
    try {
      connection = this.#lend(await this.#inner.acquireConnection(options), turn)
    } catch (error) {
      gate.leave(turn)
      throw error
    }
    if (!this.#host.isBroken) return connection
    try {
      await this.#host.mend(new KyselyLine(this.#host, connection))
    } catch (error) {
      await this.release(connection).catch((later: unknown) => attachSuppressed(error, later))
      throw error
    }
    return connection
  }

  /** For a caller whose own transaction has a connection already, and keeps it until he has got this one. */
  async #acquireSecond(
    options: AbortableOperationOptions | undefined,
  ): Promise<DatabaseConnection> {
    const { database } = this.#host
    const root = database.suspendedRoot!
    database.waitingForSecond.add(root)
    let timer: NodeJS.Timeout | undefined
    let gaveUp = false
    const acquired = this.#inner.acquireConnection(options)
    try {
      const connection = await Promise.race([
        acquired,
        new Promise<never>((_, reject) => {
          let left = looks
          timer = setInterval(() => {
            left = this.#isDeadlocked() ? left - 1 : looks
            if (left > 0) return
            gaveUp = true
            reject(exhaustedError(this.#inUse))
          }, lookMs)
        }),
      ])
      return this.#lend(connection, undefined)
    } catch (error) {
      // It may come yet.
      if (gaveUp) acquired.then((late) => this.#inner.releaseConnection(late)).catch(() => {})
      throw error
    } finally {
      clearInterval(timer)
      database.waitingForSecond.delete(root)
    }
  }

  /** Every connection that is out belongs to a transaction that waits for another one. */
  #isDeadlocked(): boolean {
    const { roots, waitingForSecond } = this.#host.database
    return waitingForSecond.size >= roots.size && this.#inUse <= roots.size
  }
}

function onlyConnectionError(): TransactionDeadlockError {
  return new TransactionDeadlockError(
    'Cannot get a second connection while the transaction around is open: this driver has one connection, which that ' +
      'transaction holds. Run the statement inside it, make the transaction a savepoint (nested), or run it after the ' +
      'commit with afterCommit(). Nothing was sent.',
  )
}

function exhaustedError(inUse: number): TransactionDeadlockError {
  return new TransactionDeadlockError(
    `Cannot get a second connection: the pool gives no more than the ${inUse} that are in use, each by a transaction that ` +
      'waits for a second one (requiresNew, outside), so none of them can ever go on. A pool needs at least one ' +
      'connection more than there are such transactions at the same time. Nothing was sent.',
  )
}
