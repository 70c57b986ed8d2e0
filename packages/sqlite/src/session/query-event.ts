import { newQueryEvent, type QueryEvent } from '@keelson/core'

export type EventSource = QueryEvent['source']

/** The event of a statement that starts now. Make one only while somebody subscribes. */
export function queryEvent(
  kind: 'query' | 'stream',
  source: EventSource,
  { path: db }: { readonly path: string },
  sql: string,
  parameters: readonly unknown[],
): QueryEvent {
  return newQueryEvent({ kind, source, system: 'sqlite', db, sql, paramCount: parameters.length })
}
