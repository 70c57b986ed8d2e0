import type { BatchedStatement, QueryEvent, StatementCall } from '@keelson/core'
import type { QueryStats } from '../stats/query-stats.ts'
import type { DatabaseInstance } from './database-instance.ts'
import type { WatchedDatabase } from './watched-database.ts'

/** What one statement of a batch has done. */
export type BatchedOutcome = Omit<BatchedStatement, 'fp'>

/** One statement, from the moment that it was asked for. Layers below tell it how long they have let it wait. */
export class Observation implements StatementCall {
  readonly instance: DatabaseInstance
  /** What it is counted in. */
  readonly database: WatchedDatabase
  readonly kind: QueryEvent['kind']
  readonly sql: string
  readonly params: readonly unknown[]
  /** `performance.now()` when the statement was asked for. */
  readonly startMs: number
  waitMs = 0
  decodeMs: number | undefined = undefined
  conn = 0
  cache: QueryEvent['cache'] = undefined
  tx: QueryEvent['tx'] = undefined
  rows = 0
  affectedRows: number | undefined = undefined
  /** What it is counted in, where that was looked up when it was sent. */
  stats: QueryStats | undefined = undefined

  // Few have any of these, and who has none takes no room for it: one is made for every query.
  declare attempt?: number | undefined
  declare batchSize?: number
  declare batch?: readonly BatchedOutcome[]
  declare bulkRows?: number
  /** Of a stream. */
  declare firstRowMs?: number
  declare dbMs?: number
  /** The stack of the caller, where somebody wants to know. */
  declare site?: Error | undefined

  constructor(
    instance: DatabaseInstance,
    kind: QueryEvent['kind'],
    sql: string,
    params: readonly unknown[],
    startMs: number,
  ) {
    this.instance = instance
    this.database = instance.database
    this.kind = kind
    this.sql = sql
    this.params = params
    this.startMs = startMs
  }
}
