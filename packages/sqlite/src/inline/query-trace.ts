import { nextEventId, queryChannel, traceAsync, type QueryEvent } from '@keelson/core'
import type { SqliteResult } from '../contract.ts'
import type { InlineEngine } from './inline-engine.ts'

export type EventSource = QueryEvent['source']

/** The event of a statement that starts now. Make one only while somebody subscribes. */
export function queryEvent(
  kind: 'query' | 'stream',
  source: EventSource,
  engine: InlineEngine,
  sql: string,
  parameters: readonly unknown[],
): QueryEvent {
  return {
    v: 1,
    id: nextEventId(),
    kind,
    source,
    system: 'sqlite',
    db: engine.path,
    sql,
    paramCount: parameters.length,
    startMs: performance.now(),
    waitMs: 0,
    executeMs: 0,
    totalMs: 0,
    rows: 0,
    conn: 0,
    pool: engine.path,
    outcome: undefined,
  }
}

/** Publishes a statement's start and end on `keelson:query`. */
export function traceQuery<R extends SqliteResult<unknown>>(
  event: QueryEvent,
  run: () => Promise<R>,
): Promise<R> {
  const operation = async (): Promise<R> => {
    const result = await run()
    event.rows = result.rows.length
    event.affectedRows = result.changes
    return result
  }
  return traceAsync(queryChannel, event, operation, completeQuery)
}

/** Publishes the start of a stream. */
export function traceStreamStart(event: QueryEvent): void {
  queryChannel.start.publish(event)
  queryChannel.end.publish(event)
}

/** Publishes how a stream ended. @param dbMs the time SQLite worked for it, without its consumer's */
export function traceStreamEnd(event: QueryEvent, dbMs: number): void {
  event.totalMs = performance.now() - event.startMs
  event.dbMs = dbMs
  event.executeMs = dbMs
  if (event.outcome === 'error') {
    event.errorType = errorType(event.error)
    queryChannel.error.publish(event)
  }
  queryChannel.asyncStart.publish(event)
  queryChannel.asyncEnd.publish(event)
}

function completeQuery(event: QueryEvent): void {
  event.totalMs = performance.now() - event.startMs
  event.executeMs = event.totalMs - event.waitMs
  event.outcome = event.error === undefined ? 'ok' : 'error'
  if (event.error !== undefined) event.errorType = errorType(event.error)
}

function errorType(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
