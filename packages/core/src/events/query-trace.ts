import { queryChannel, traceAsync } from './channels.ts'
import { nextEventId } from './event-id.ts'
import type { QueryEvent } from './query-event.ts'
import { type StatementCall, statementCall } from './statement-call.ts'

/** What a driver knows of a statement before it runs. */
export interface QueryStart {
  readonly kind: 'query' | 'stream'
  readonly source: QueryEvent['source']
  readonly system: QueryEvent['system']
  /** Name of the database: its path. */
  readonly db: string
  readonly sql: string
  readonly paramCount: number
}

/** The event of a statement that starts now. Make one only while somebody subscribes. */
export function newQueryEvent({
  kind,
  source,
  system,
  db,
  sql,
  paramCount,
}: QueryStart): QueryEvent {
  return {
    v: 1,
    id: nextEventId(),
    kind,
    source,
    system,
    db,
    sql,
    paramCount,
    startMs: performance.now(),
    waitMs: 0,
    executeMs: 0,
    totalMs: 0,
    rows: 0,
    conn: 0,
    pool: db,
    outcome: undefined,
  }
}

/** Publishes a statement's start and end on `keelson:query`. */
export function traceQuery<
  R extends { readonly rows: readonly unknown[]; readonly changes: number | undefined },
>(event: QueryEvent, run: () => Promise<R>): Promise<R> {
  const call = statementCall()
  const operation = async (): Promise<R> => {
    const result = await run()
    event.rows = result.rows.length
    event.affectedRows = result.changes
    return result
  }
  return traceAsync(queryChannel, event, operation, (ended) => {
    completeQuery(ended)
    if (call !== undefined) tellCall(call, ended)
  })
}

/** Publishes the start of a stream. */
export function traceStreamStart(event: QueryEvent): void {
  queryChannel.start.publish(event)
  queryChannel.end.publish(event)
}

/** Publishes how a stream ended. @param dbMs milliseconds that the engine worked for it, without its consumer's */
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
  event.executeMs = event.totalMs - event.waitMs - (event.decodeMs ?? 0)
  event.outcome = event.error === undefined ? 'ok' : 'error'
  if (event.error !== undefined) event.errorType = errorType(event.error)
}

/** Whoever measures from above has no event of its own, and asked earlier. */
function tellCall(call: StatementCall, event: QueryEvent): void {
  call.waitMs = event.startMs - call.startMs + event.waitMs
  call.decodeMs = event.decodeMs
  call.conn = event.conn
  call.cache = event.cache
}

function errorType(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
