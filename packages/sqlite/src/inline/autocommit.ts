import type { QueryEvent } from '@keelson/core'
import type { ExecuteOptions, SqliteResult } from '../contract.ts'
import type { PreparedStatement } from '../statement/prepared-statement.ts'
import type { StatementLimit } from '../statement/statement-engine.ts'
import { isPassingBusy, retryWhileBusy } from './busy-retry.ts'
import { Holder } from './holder.ts'
import type { InlineEngine } from './inline-engine.ts'
import type { Patience } from './patience.ts'
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
  const statement = engine.writer.prepare(sql)
  refuseControl(statement, false)
  const { busyTimeoutMs } = engine.options
  const result = await patience.during(sql, options?.signal, async (signal) => {
    if (engine.gate.holder !== undefined && engine.mayUseReader(statement, parameters)) {
      const lease = await engine.readers!.acquire({ signal, purpose: sql })
      if (event !== undefined) event.waitMs = performance.now() - event.startMs
      try {
        return await retryWhileBusy(
          () => readOn(lease.resource, sql, parameters, options, engine),
          busyTimeoutMs,
          signal,
        )
      } finally {
        lease.release()
      }
    }
    const holder = new Holder('statement', sql)
    await engine.gate.enter(holder, sql, signal)
    if (event !== undefined) event.waitMs = performance.now() - event.startMs
    try {
      return await retryWhileBusy(
        () => runOnWriter(engine, statement, parameters, options),
        busyTimeoutMs,
        signal,
      )
    } finally {
      engine.gate.leave(holder)
    }
  })
  return map(result)
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

function readOn(
  reader: InlineEngine['writer'],
  sql: string,
  parameters: readonly unknown[],
  options: ExecuteOptions | undefined,
  engine: InlineEngine,
): SqliteResult<never> {
  const rows = options?.rows ?? 'objects'
  return reader.read(
    reader.prepare(sql),
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
