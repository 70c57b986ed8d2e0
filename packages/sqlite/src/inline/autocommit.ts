import { ConnectionBusyError, type StatementCall, excerpt, Holder } from '@keelson/core'
import type { ExecuteOptions, SqliteResult } from '../contract.ts'
import { type PreparedStatement } from '../statement/prepared-statement.ts'
import type { StatementLimit } from '../statement/statement-engine.ts'
import { isPassingBusy } from '../statement/passing-busy.ts'
import { retryWhileBusy } from './busy-retry.ts'
import type { InlineEngine } from './inline-engine.ts'
import type { Patience } from '../session/patience.ts'
import { isPragma } from '../statement/verb.ts'
import { refuseControl } from '../statement/statement-rules.ts'

/** One call of `execute()` outside a transaction. */
export interface AutocommitCall<R> {
  readonly engine: InlineEngine
  readonly patience: Patience
  readonly sql: string
  readonly parameters: readonly unknown[]
  readonly options: ExecuteOptions | undefined
  readonly map: (result: SqliteResult<never>) => R
  /** What is to know how long it waited, if anybody listens. */
  readonly event: StatementCall | undefined
}

/**
 * Runs a statement outside a transaction: at once where the write connection is free, else on a read connection if it
 * only reads, else in its turn.
 */
export function executeAutocommit<R>(call: AutocommitCall<R>): Promise<R> {
  const { engine, sql } = call
  engine.assertOpen()
  if (!engine.gate.isFree) return executeWaiting({ ...call, parameters: [...call.parameters] })
  const statement = engine.writer.prepare(sql)
  if (!statement.isRead) refuseControl(statement, false)
  try {
    return Promise.resolve(call.map(runOnWriter(call, statement)))
  } catch (error) {
    if (!isPassingBusy(error) || engine.options.busyTimeoutMs === 0) throw error
    return executeWaiting(call)
  }
}

async function executeWaiting<R>(call: AutocommitCall<R>): Promise<R> {
  const { engine, patience, sql, parameters, options } = call
  const { statement, tryReader } = judge(engine, sql, parameters)
  if (statement !== undefined) refuseControl(statement, false)
  const { busyTimeoutMs } = engine.options
  const result = await patience.during(sql, options?.signal, async (signal) => {
    if (tryReader && engine.gate.holder !== undefined) {
      const lease = await engine.borrowReader(sql, signal)
      noteWait(call.event)
      try {
        const read = await retryWhileBusy(() => readOn(lease.resource, call), busyTimeoutMs, signal)
        if (read !== undefined) return read
      } finally {
        lease.release()
      }
    }
    const holder = new Holder('statement', sql)
    await engine.gate.enter(holder, sql, signal)
    noteWait(call.event)
    try {
      const attempt = (): SqliteResult<never> => runOnWriter(call, preparedLate(engine, sql))
      return await retryWhileBusy(attempt, busyTimeoutMs, signal)
    } finally {
      engine.gate.leave(holder)
    }
  })
  return call.map(result)
}

function noteWait(event: StatementCall | undefined): void {
  if (event !== undefined) event.waitMs = performance.now() - event.startMs
}

/**
 * Prepares a statement behind somebody else's transaction, and tells whether it may run on a read connection. Where that
 * transaction has changed the schema, only the committed one can tell what the statement is: it stays undefined, as
 * does a PRAGMA until its turn.
 */
export function judge(
  engine: InlineEngine,
  sql: string,
  parameters: readonly unknown[],
): { statement: PreparedStatement | undefined; tryReader: boolean } {
  // Preparing it would already do its work, in the transaction of another.
  if (isPragma(sql)) return { statement: undefined, tryReader: false }
  try {
    const statement = engine.writer.prepare(sql)
    return { statement, tryReader: engine.mayUseReader(statement, parameters) }
  } catch (error) {
    const isOfSchema = (error as { code?: unknown }).code === 'SQLITE_ERROR'
    if (!isOfSchema || engine.gate.holder === undefined) throw error
    return { statement: undefined, tryReader: engine.readers !== undefined }
  }
}

function preparedLate(engine: InlineEngine, sql: string): PreparedStatement {
  const statement = engine.writer.prepare(sql)
  refuseControl(statement, false)
  return statement
}

function runOnWriter(
  { engine, parameters, options }: AutocommitCall<unknown>,
  statement: PreparedStatement,
): SqliteResult<never> {
  const rows = options?.rows ?? 'objects'
  const first = options?.first ?? false
  if (!statement.isRead) {
    if (engine.isAdopted && engine.writer.database.inTransaction)
      throw foreignTransactionError(statement)
    return engine.write(statement, parameters, rows, first)
  }
  engine.snapshot?.touch()
  return engine.writer.read(statement, parameters, rows, first, statementLimit(engine, options))
}

/** A write that joined it would be reported as done, and undone when its owner rolls back. */
function foreignTransactionError({ sql }: PreparedStatement): ConnectionBusyError {
  return new ConnectionBusyError(
    `Cannot run ${excerpt(sql)}: the better-sqlite3 database that was handed in is inside a transaction that was begun ` +
      'on the handle itself. Commit it first, or run the statement on the handle.',
  )
}

/** @returns undefined for a statement that writes */
function readOn(
  reader: InlineEngine['writer'],
  { engine, sql, parameters, options }: AutocommitCall<unknown>,
): SqliteResult<never> | undefined {
  const statement = reader.prepare(sql)
  if (!statement.isRead) return undefined
  const rows = options?.rows ?? 'objects'
  return reader.read(
    statement,
    parameters,
    rows,
    options?.first ?? false,
    statementLimit(engine, options),
  )
}

/** What ends a read between two rows; undefined for most, which then run in one step. */
export function statementLimit(
  { options: { queryTimeoutMs } }: InlineEngine,
  options: ExecuteOptions | undefined,
): StatementLimit | undefined {
  if (queryTimeoutMs === undefined && options?.signal === undefined) return undefined
  const deadline = queryTimeoutMs === undefined ? undefined : performance.now() + queryTimeoutMs
  return { deadline, signal: options?.signal }
}
