import type { QueryEvent } from '@keelson/core'
import type { ExecuteOptions, SqliteResult } from '../contract.ts'
import type { PreparedStatement } from '../statement/prepared-statement.ts'
import type { StatementLimit } from '../statement/statement-engine.ts'
import { isPassingBusy, retryWhileBusy } from './busy-retry.ts'
import { Holder } from './holder.ts'
import type { InlineEngine } from './inline-engine.ts'
import type { Patience } from './patience.ts'
import { statementVerb } from '../statement/verb.ts'
import { refuseControl } from './statement-rules.ts'

/**
 * Runs a statement outside a transaction: at once where the write connection is free, else on a read connection if it
 * only reads, else in its turn.
 */
export function executeAutocommit<R>(
  engine: InlineEngine,
  patience: Patience,
  sql: string,
  parameters: readonly unknown[],
  options: ExecuteOptions | undefined,
  map: (result: SqliteResult<never>) => R,
  event: QueryEvent | undefined,
): Promise<R> {
  engine.assertOpen()
  if (engine.gate.holder !== undefined)
    return executeWaiting(engine, patience, sql, parameters, options, map, event)
  const statement = engine.writer.prepare(sql)
  if (!statement.isRead) refuseControl(statement, false)
  try {
    return Promise.resolve(map(runOnWriter(engine, statement, parameters, options)))
  } catch (error) {
    if (!isPassingBusy(error) || engine.options.busyTimeoutMs === 0) throw error
    return executeWaiting(engine, patience, sql, parameters, options, map, event)
  }
}

async function executeWaiting<R>(
  engine: InlineEngine,
  patience: Patience,
  sql: string,
  parameters: readonly unknown[],
  options: ExecuteOptions | undefined,
  map: (result: SqliteResult<never>) => R,
  event: QueryEvent | undefined,
): Promise<R> {
  const { statement, tryReader } = judge(engine, sql, parameters)
  if (statement !== undefined) refuseControl(statement, false)
  const { busyTimeoutMs } = engine.options
  const result = await patience.during(sql, options?.signal, async (signal) => {
    if (tryReader && engine.gate.holder !== undefined) {
      const lease = await engine.readers!.acquire({ signal, purpose: sql })
      if (event !== undefined) event.waitMs = performance.now() - event.startMs
      try {
        const read = await retryWhileBusy(
          () => readOn(lease.resource, sql, parameters, options, engine),
          busyTimeoutMs,
          signal,
        )
        if (read !== undefined) return read
      } finally {
        lease.release()
      }
    }
    const holder = new Holder('statement', sql)
    await engine.gate.enter(holder, sql, signal)
    if (event !== undefined) event.waitMs = performance.now() - event.startMs
    try {
      return await retryWhileBusy(
        () => runOnWriter(engine, statement ?? preparedLate(engine, sql), parameters, options),
        busyTimeoutMs,
        signal,
      )
    } finally {
      engine.gate.leave(holder)
    }
  })
  return map(result)
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
  if (statementVerb(sql) === 'pragma') return { statement: undefined, tryReader: false }
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
  engine: InlineEngine,
  statement: PreparedStatement,
  parameters: readonly unknown[],
  options: ExecuteOptions | undefined,
): SqliteResult<never> {
  const rows = options?.rows ?? 'objects'
  const first = options?.first ?? false
  if (!statement.isRead) return engine.write(statement, parameters, rows, first)
  engine.snapshot?.touch()
  return engine.writer.read(statement, parameters, rows, first, statementLimit(engine, options))
}

/** @returns undefined for a statement that writes */
function readOn(
  reader: InlineEngine['writer'],
  sql: string,
  parameters: readonly unknown[],
  options: ExecuteOptions | undefined,
  engine: InlineEngine,
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
