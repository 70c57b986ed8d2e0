import { checkOptionNames, invalidOption } from '@keelson/core'
import { sessionOf } from '@keelson/core/drizzle'
import type { KeelsonSqliteDatabase } from './database.ts'
import { SqliteDrizzleSession } from './session.ts'
import type { KeelsonSqliteTransaction } from './transaction.ts'

/** A query of Drizzle's whose result is a list of rows. */
export interface StreamableQuery<TRow> {
  readonly _: { readonly result: TRow[] }
}

export interface StreamRowsOptions {
  /** Rows that are read, decoded and held in memory at a time; at least 1. @default 500 */
  readonly chunkRows?: number
  /** Ends the stream with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Streams the rows of a query one by one, decoded and typed like those of the query itself, without ever holding more
 * than one chunk of them.
 *
 * It takes what returns a list: a select builder, `findMany()`, `returning()`, `db.all(sql)`, `db.values(sql)`. The
 * query runs on the database or transaction given first, wherever it was built, and is sent with the first row that is
 * asked for. Leaving the loop ends it.
 *
 * On a database a read runs on a connection of its own and sees one snapshot; a statement that writes, and anything on
 * `:memory:`, keeps other writers waiting until the stream ends. In a transaction no other statement may run while its
 * stream is open: they throw `ConnectionBusyError`.
 *
 * @param db a database or transaction of this driver
 * @param query the query, without placeholders
 * @throws {OptionError} for something that is not such a query, and for unknown or impossible options
 *
 * @example
 * for await (const user of stream(db, db.select().from(users).where(gt(users.age, 18)))) {
 *   await send(user)
 * }
 * // select "id", "name", "age" from "users" where "users"."age" > ?
 */
export function stream<TRow>(
  // oxlint-disable-next-line typescript/no-explicit-any
  db: KeelsonSqliteDatabase<any> | KeelsonSqliteTransaction<any, any>,
  query: StreamableQuery<TRow>,
  options: StreamRowsOptions = {},
): AsyncIterableIterator<TRow> {
  checkOptionNames(where, options, ['chunkRows', 'signal'])
  const { chunkRows, signal } = options
  if (chunkRows !== undefined && (!Number.isInteger(chunkRows) || chunkRows < 1)) {
    invalidOption(where, 'chunkRows', chunkRows, 'a whole number from 1')
  }
  const session = sessionOf(db)
  if (!(session instanceof SqliteDrizzleSession)) {
    invalidOption(where, 'db', db, 'a database or transaction of @keelson/sqlite/drizzle')
  }
  const source = session.prepareStream(query)
  if (source === undefined) {
    invalidOption(
      where,
      'query',
      query,
      'a query that returns a list of rows: a select, findMany(), returning(), db.all(sql), db.values(sql)',
    )
  }
  const { prepared, rows } = source
  return (async function* () {
    for await (const chunk of prepared.stream(rows, {
      ...(chunkRows && { chunkRows }),
      ...(signal && { signal }),
    })) {
      yield* (prepared.isMapped ? prepared.map(chunk as unknown[][]) : chunk) as TRow[]
    }
  })()
}

const where = 'stream()'
