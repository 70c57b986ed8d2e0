import type { BulkStatementsRequest, BulkStatementsResult } from '@keelson/core'
import { upsertedFunction, valuesByRow } from '@keelson/core/base'
import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import { bindableParameters } from '../values/parameters.ts'
import type { PreparedStatement } from './prepared-statement.ts'

/** What bulk statements need of the engine of a connection. */
export interface BulkEngine {
  readonly database: BetterSqlite3Database
  prepare(sql: string): PreparedStatement
  /** Runs a statement that returns rows. */
  write(
    statement: PreparedStatement,
    parameters: readonly unknown[],
    rows: 'objects',
    first: boolean,
  ): { readonly rows: readonly unknown[]; readonly changes: number | undefined }
}

/** One statement for many rows, wherever their values are. */
export interface BulkStatements {
  readonly rowCount: number
  readonly rowsPerStatement: number
  readonly countsUpserts: boolean
  /** The statement for so many rows. */
  readonly statement: (rowCount: number) => string
  /** What so many rows bind, from one on. */
  readonly parameters: (from: number, count: number, sql: string) => readonly unknown[]
}

/**
 * Runs one statement many times in one go, each with the values of so many rows. Much of what a single statement reports
 * (its insert id, its rows' ids) is not found out here.
 */
export class BulkRun {
  readonly #engine: BulkEngine
  /** How often `keelson_upserted()` was called; undefined where SQLite does not know the function yet. */
  #upserted: number | undefined

  constructor(engine: BulkEngine) {
    this.#engine = engine
  }

  run({ columns, tail, ...request }: BulkStatementsRequest): BulkStatementsResult {
    return this.runMany({
      ...request,
      parameters: (from, count, sql) =>
        bindableParameters(valuesByRow(columns, from, from + count, tail), sql),
    })
  }

  runMany({
    rowCount,
    rowsPerStatement,
    countsUpserts,
    statement,
    parameters,
  }: BulkStatements): BulkStatementsResult {
    if (countsUpserts) this.#countUpserts()
    const returned: Record<string, unknown>[] = []
    let changes = 0
    let upserted = 0
    let done = 0
    while (done < rowCount) {
      const count = Math.min(rowsPerStatement, rowCount - done)
      if (countsUpserts) this.#upserted = 0
      try {
        const prepared = this.#engine.prepare(statement(count))
        changes += this.#runOne(prepared, parameters(done, count, prepared.sql), returned)
      } catch (error) {
        return { changes, upserted, rows: returned, done, failure: { error } }
      }
      if (countsUpserts) upserted += this.#upserted!
      done += count
    }
    return { changes, upserted, rows: returned, done, failure: undefined }
  }

  #runOne(
    prepared: PreparedStatement,
    parameters: readonly unknown[],
    returned: Record<string, unknown>[],
  ): number {
    if (prepared.reader) {
      const result = this.#engine.write(prepared, parameters, 'objects', false)
      for (const row of result.rows) returned.push(row as Record<string, unknown>)
      return result.changes ?? 0
    }
    // Spread, since binding an array costs a tenth more.
    return prepared.forRun().run(...parameters).changes
  }

  #countUpserts(): void {
    if (this.#upserted !== undefined) return
    this.#upserted = 0
    this.#engine.database.function(upsertedFunction, { directOnly: true }, () => {
      this.#upserted! += 1
      return 1
    })
  }
}
