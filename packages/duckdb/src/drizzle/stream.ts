import { checkOptionNames, invalidOption } from '@keelson/core'
import { sessionOf } from '@keelson/core/drizzle'
import type { KeelsonDuckDBDatabase } from './database.ts'
import type { DuckDBQueryResult } from './query-result.ts'
import { DuckDBDrizzleSession } from './session.ts'
import type { KeelsonDuckDBTransaction } from './transaction.ts'

/** A query of Drizzle's whose result is a list of rows: of a builder, or of `db.execute(sql)`. */
export interface StreamableQuery<TRow> {
  readonly _: { readonly result: TRow[] | DuckDBQueryResult<TRow> }
}

export interface StreamRowsOptions {
  /** Rows that are read, decoded and held in memory at a time; at least 1. @default as DuckDB delivers them, up to 2,048 */
  readonly chunkRows?: number
  /** Ends the stream with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Streams the rows of a query one by one, decoded and typed like those of the query itself, without ever holding more
 * than one chunk of them.
 *
 * It takes what returns a list: a select builder, `findMany()`, `returning()`, `db.execute(sql)`. The query runs on the
 * database or transaction given first, wherever it was built (`findMany()` on the same database, or in a transaction of
 * it), and is sent with the first row that is asked for. Leaving the loop ends it.
 *
 * On a database it runs on a connection of its own, sees one snapshot and keeps nobody waiting. In a transaction no other
 * statement may run while its stream is open: they throw `ConnectionBusyError`.
 *
 * @param db a database or transaction of this driver
 * @param query the query, without placeholders
 * @throws {OptionError} for something that is not such a query, and for unknown or impossible options
 * @throws {StreamCutShortError} when DuckDB ended the rows before their end
 *
 * @example
 * for await (const user of stream(db, db.select().from(users).where(gt(users.age, 18)))) {
 *   await send(user)
 * }
 * // select "id", "name", "age" from "users" where "users"."age" > $1
 */
export function stream<TRow>(
  // oxlint-disable-next-line typescript/no-explicit-any
  db: KeelsonDuckDBDatabase<any> | KeelsonDuckDBTransaction<any, any>,
  query: StreamableQuery<TRow>,
  options: StreamRowsOptions = {},
): AsyncIterableIterator<TRow> {
  checkOptionNames(where, options, ['chunkRows', 'signal'])
  const { chunkRows, signal } = options
  if (chunkRows !== undefined && (!Number.isInteger(chunkRows) || chunkRows < 1)) {
    invalidOption(where, 'chunkRows', chunkRows, 'a whole number from 1')
  }
  const session = sessionOf(db)
  if (!(session instanceof DuckDBDrizzleSession)) {
    invalidOption(where, 'db', db, 'a database or transaction of @keelson/duckdb/drizzle')
  }
  const prepared = session.prepareStream(query)
  if (prepared === undefined) {
    invalidOption(
      where,
      'query',
      query,
      'a query that returns a list of rows: a select, findMany(), returning(), db.execute(sql)',
    )
  }
  return (async function* () {
    for await (const chunk of prepared.stream({
      ...(chunkRows && { chunkRows }),
      ...(signal && { signal }),
    })) {
      yield* (prepared.isMapped ? prepared.map(chunk as unknown[][]) : chunk) as TRow[]
    }
  })()
}

const where = 'stream()'
