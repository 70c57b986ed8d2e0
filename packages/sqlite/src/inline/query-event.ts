import { newQueryEvent, type QueryEvent } from '@keelson/core'
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
  const { path: db } = engine
  return newQueryEvent({ kind, source, system: 'sqlite', db, sql, paramCount: parameters.length })
}
