import { type EngineTraits, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { placeholders } from './placeholders.ts'
import type { TableName } from './table-name.ts'

/** A row that counts. */
export interface Counter {
  readonly table: TableName
  readonly name: string
  readonly scope: string
  /** The first number of a counter that is not there yet. */
  readonly start: number
}

/**
 * Adds to a counter, and keeps its row locked until the transaction ends. The statement writes first, so that also a
 * transaction of SQLite that has begun as a reader waits its turn here instead of failing later.
 *
 * @param by how much; 0 only takes the lock
 * @returns the number it has come to. It travels as text: some drivers round 64-bit integers, and some send every number
 *   as a floating-point one.
 */
export function* advance(
  session: HostSession,
  traits: EngineTraits,
  { table, name, scope, start }: Counter,
  by: number,
): Steps<bigint> {
  const next = placeholders(traits)
  const values = [name, scope, String(start - 1 + by), String(by)]
  if (traits.supportsReturning) {
    const integer = (): string => `cast(${next()} as bigint)`
    const rows = yield* wait(
      session.query(
        `insert into ${table.full} (name, scope, value) values (${next()}, ${next()}, ${integer()}) ` +
          `on conflict (name, scope) do update set value = ${table.row}.value + ${integer()} returning cast(value as text) as value`,
        values,
      ),
    )
    return BigInt(String(rows[0]!['value']))
  }
  // https://dev.mysql.com/doc/refman/8.4/en/information-functions.html#function_last-insert-id
  yield* wait(
    session.run(
      `insert into ${table.full} (name, scope, value) values (?, ?, last_insert_id(cast(? as signed))) ` +
        'on duplicate key update value = last_insert_id(value + cast(? as signed))',
      values,
    ),
  )
  const rows = yield* wait(session.query('select cast(last_insert_id() as char) as value'))
  return BigInt(String(rows[0]!['value']))
}
