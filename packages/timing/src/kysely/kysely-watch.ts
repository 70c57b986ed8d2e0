import { statementObserver } from '@keelson/core'
import { type ConnectionWatch, type Consumer, interceptConnection } from '@keelson/core/kysely'
import { CompiledQuery, type DatabaseConnection, type QueryExecutor } from 'kysely'
import { now } from '../record/clock.ts'
import type { Recorder } from '../record/recorder.ts'
import {
  type DatabaseInstance,
  type RunStatement,
  runWithSetting,
} from '../record/database-instance.ts'
import type { WatchedDatabase } from '../record/watched-database.ts'
import { TimedConnection } from './timed-connection.ts'

/** Among the layers of a dialect. */
export const layerName = 'timing'
export const timingRank = 20

type Known = DatabaseConnection & { readonly [statementObserver]?: TimedConnection }

/** On a statement of the timing's own. */
const own: unique symbol = Symbol('own')
type OwnQuery = CompiledQuery & { readonly [own]?: true }

/** Sees the connections of one `Kysely`, and what is sent on them. */
export class KyselyWatch implements ConnectionWatch {
  readonly recorder: Recorder
  readonly instance: DatabaseInstance
  readonly database: WatchedDatabase
  readonly #hasOneConnection: boolean
  #connections = 0
  #isClosed = false
  /** The only connection was given back with a transaction open, so that whatever is sent next is in it. */
  isLeftOpen = false
  #executor: QueryExecutor | undefined

  constructor(recorder: Recorder, instance: DatabaseInstance, hasOneConnection: boolean) {
    this.recorder = recorder
    this.instance = instance
    this.database = instance.database
    this.#hasOneConnection = hasOneConnection
    recorder.databases.add(this.database)
  }

  asked<T>(consumer: Consumer<T>, executor: QueryExecutor | undefined): Consumer<T> {
    if (!this.recorder.isEnabled) return consumer
    if (this.#executor === undefined && executor !== undefined) this.use(executor)
    const askedMs = now()
    return (connection) => {
      const timed = this.timedOf(connection)
      // Of a connection that is held (`db.connection()`), the first statement tells how long that was waited for, and not
      // what was done since.
      const isHeld = executor === undefined && timed.askedMs !== 0
      timed.askedMs = isHeld ? askedMs - timed.waitedMs : askedMs
      const gotMs = now()
      timed.waitedMs = gotMs - timed.askedMs
      // A query is sent at once: it needs no other look at the clock, which is what measuring costs most.
      timed.gotMs = gotMs
      timed.hasSent = false
      if (executor !== undefined) timed.isHeld = false
      const lease = consumer(connection)
      timed.gotMs = 0
      if (executor === undefined) timed.isHeld = true
      // Whoever sends one query gives the connection back with its answer, and nobody asks when.
      const isQuery = timed.hasSent && (executor === undefined || !timed.isHeld)
      if (!isQuery) timed.lease = lease
      return lease
    }
  }

  /** @param executor of `db` itself, through which statements of the timing's own are sent */
  use(executor: QueryExecutor): void {
    this.#executor = executor
    this.instance.isInTransaction = this.#hasOneConnection ? () => this.isLeftOpen : undefined
    this.instance.run = (sql, params, setting) =>
      executor.provideConnection((connection) => {
        const send: RunStatement = async (text, values) => {
          const query: OwnQuery = { ...CompiledQuery.raw(text, [...values]), [own]: true }
          const { rows } = await connection.executeQuery<Record<string, unknown>>(query)
          return rows
        }
        return setting === undefined
          ? send(sql, params)
          : runWithSetting(send, sql, params, setting)
        // Said explicitly, it is a query and no transaction.
      }, undefined)
  }

  /** The database is destroyed. */
  closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.recorder.databases.close(this.instance)
  }

  /** Whether a statement is one of the timing's own, which nobody is told of. */
  isOwn(query: CompiledQuery): boolean {
    return (query as OwnQuery)[own] === true
  }

  timedOf(connection: DatabaseConnection): TimedConnection {
    const known = (connection as Known)[statementObserver]
    if (known !== undefined) return known
    const timed = new TimedConnection(this, ++this.#connections)
    Object.defineProperty(connection, statementObserver, { value: timed })
    interceptConnection(connection, timingRank, timed)
    return timed
  }
}
