import type { StatementCall } from '@keelson/core'
import type { Connection } from '../connection/connection.ts'
import type { Interruption } from '../connection/interruption.ts'
import type { Statement } from '../connection/statement.ts'
import type { DuckDBResult, ExecuteOptions } from '../contract.ts'
import { readResult } from '../result/read-result.ts'
import { faultOf } from './connection-fault.ts'
import type { Engine } from './engine.ts'
import type { Operation } from './operation.ts'

/** A statement that somebody asked for, and who is told how it goes. */
export interface Request {
  readonly sql: string
  readonly parameters: readonly unknown[]
  readonly options: ExecuteOptions | undefined
  /** Throws to refuse the statement before it runs. */
  readonly check: (statement: Statement) => void
  readonly event: StatementCall | undefined
}

/** Turns a result into JavaScript values. The connection is free for others already. */
export type Read<R> = () => R | Promise<R>

/** Does work on whichever connection is free. */
export async function workOnPool<R>(
  engine: Engine,
  operation: Operation,
  work: (connection: Connection) => Promise<Read<R>>,
): Promise<R> {
  const lease = await engine.lease('statement', operation.interruption)
  const connection = lease.resource
  let fault: string | undefined
  let read: Read<R>
  try {
    lease.note(operation.sql)
    read = await connection.exclusive(() => work(connection))
  } catch (error) {
    fault = faultOf(error)
    throw error
  } finally {
    engine.giveBack(lease, connection, fault)
  }
  return read()
}

/** Runs a statement on a connection that is the caller's own at this moment. */
export async function execute(
  engine: Engine,
  connection: Connection,
  { sql, parameters, options, check, event }: Request,
  interruption: Interruption,
): Promise<Read<DuckDBResult<never>>> {
  const policies = engine.policiesOf(options?.values)
  const prepared = event && ((isCached: boolean) => (event.cache = isCached ? 'hit' : 'miss'))
  try {
    const request = { sql, parameters, check, prepared }
    const { statement, result } = await connection.run(request, interruption)
    const rows = options?.rows ?? 'objects'
    const read = () => readResult(statement, result, { policies, rows, interruption })
    return event === undefined ? read : () => timed(event, read)
  } finally {
    if (event !== undefined) {
      event.conn = connection.id
      // For a connection, for its turn there, and for a thread.
      event.waitMs = performance.now() - event.startMs - interruption.spentMs
    }
  }
}

async function timed<R>(event: StatementCall, read: Read<R>): Promise<R> {
  const start = performance.now()
  try {
    return await read()
  } finally {
    event.decodeMs = performance.now() - start
  }
}
