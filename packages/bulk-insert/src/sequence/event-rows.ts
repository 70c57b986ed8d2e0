import { type EngineTraits, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { maxStatementBytes } from '../method/mysql-method.ts'
import type { EventRow } from './append-options.ts'
import type { EventTables } from './event-tables.ts'
import { placeholders } from './placeholders.ts'

/** An event that is there. */
export interface KnownEvent {
  readonly id: string
  readonly stream: string
  readonly version: number
  readonly position: number | undefined
}

const maxIdsPerStatement = 500
const maxRowsPerStatement = 500

/**
 * Finds the events that are there, by their ids.
 *
 * @param seesLatest reads what is committed now where a transaction of MySQL reads what was committed when it began; that
 *   locks the gaps of ids that are not there, so that it is for those that are
 */
export function* knownEvents(
  session: HostSession,
  traits: EngineTraits,
  { events, counter }: EventTables,
  ids: readonly string[],
  seesLatest: boolean,
): Steps<ReadonlyMap<string, KnownEvent>> {
  const text = traits.supportsReturning ? 'text' : 'char'
  const position = counter === undefined ? '' : `, cast(position as ${text}) as position`
  const latest = seesLatest && !traits.supportsReturning ? ' lock in share mode' : ''
  const known = new Map<string, KnownEvent>()
  for (let at = 0; at < ids.length; at += maxIdsPerStatement) {
    const some = ids.slice(at, at + maxIdsPerStatement)
    const next = placeholders(traits)
    const rows = yield* wait(
      session.query(
        `select event_id as id, stream, cast(version as ${text}) as version${position} ` +
          `from ${events.full} where event_id in (${some.map(next).join(', ')})${latest}`,
        some,
      ),
    )
    for (const row of rows) {
      const id = String(row['id'])
      known.set(id, {
        id,
        stream: String(row['stream']),
        version: Number(row['version']),
        position: counter === undefined ? undefined : Number(row['position']),
      })
    }
  }
  return known
}

/** Where the first of the events goes. */
export interface FirstPlace {
  readonly stream: string
  readonly version: number
  readonly position: number | undefined
}

/** Inserts events, some hundreds with each statement. */
export function* insertEvents(
  session: HostSession,
  traits: EngineTraits,
  { events }: EventTables,
  rows: readonly EventRow[],
  { stream, version, position }: FirstPlace,
): Steps<void> {
  const names = [
    ...(position === undefined ? [] : ['position']),
    'stream, version, event_id, type, data, metadata',
  ]
  const into = `insert into ${events.full} (${names.join(', ')}) values `
  for (let at = 0; at < rows.length;) {
    const size = rowsThatFit(rows, at)
    const next = placeholders(traits)
    const groups: string[] = []
    const values: unknown[] = []
    for (let index = at; index < at + size; index++) {
      const { id, type, data, metadata } = rows[index]!
      const place = position === undefined ? [] : [position + index]
      const row = [...place, stream, version + index, id, type, data, metadata]
      groups.push(`(${row.map(next).join(', ')})`)
      values.push(...row)
    }
    yield* wait(session.run(into + groups.join(', '), values))
    at += size
  }
}

function rowsThatFit(rows: readonly EventRow[], from: number): number {
  const most = Math.min(maxRowsPerStatement, rows.length - from)
  let bytes = 0
  for (let size = 0; size < most; size++) {
    const { data, metadata } = rows[from + size]!
    // UTF-8 with every character escaped, and the names beside it.
    bytes += (data.length + (metadata?.length ?? 0)) * 3 + 1_000
    if (bytes > maxStatementBytes) return Math.max(1, size)
  }
  return most
}
