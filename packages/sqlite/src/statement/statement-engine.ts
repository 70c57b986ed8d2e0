import type { BulkStatementsRequest, BulkStatementsResult } from '@keelson/core'
import { excerpt, QueryTimeoutError } from '@keelson/core/base'
import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import type { Int64Policy, SqliteResult } from '../contract.ts'
import { arrayScan, convertRow, genericScan } from '../values/int64.ts'
import { bindableParameters } from '../values/parameters.ts'
import { BulkRun, type BulkStatements } from './bulk-run.ts'
import { type PreparedStatement } from './prepared-statement.ts'
import { refuseGuardedSetting } from './guarded-settings.ts'
import { RowIterator } from './row-iterator.ts'
import { insertSetsRowid, RowidSentinel } from './rowid-sentinel.ts'
import { tooManyRows, worded } from './statement-errors.ts'
import { isPragma } from './verb.ts'
import { StatementCache } from './statement-cache.ts'

type Rows = 'objects' | 'arrays'

/** What SQLite remembers of the last statement that wrote. */
interface Change {
  readonly count: number
  readonly rowid: bigint
}

/** Stops a statement between two rows. */
export interface StatementLimit {
  readonly deadline: number | undefined
  readonly signal: { throwIfAborted(): void } | undefined
}

/**
 * Runs statements on one connection, synchronously: cached, with exact counts and row ids, and integers by the int64
 * policy. It knows nothing of transactions, locks or other connections.
 */
export class StatementEngine {
  readonly database: BetterSqlite3Database
  readonly guardsSettings: boolean
  /** Called before a PRAGMA is prepared. */
  beforePragma: (() => void) | undefined
  readonly #int64: Int64Policy
  readonly #maxRows: number | undefined
  readonly #cache: StatementCache
  readonly #sentinel: RowidSentinel
  /** A statement may be compiled for deferred foreign keys. */
  #mayDefer = false
  readonly #bulk: BulkRun = new BulkRun(this)

  /** @param guardsSettings refuses to change those that were verified when the connection was opened */
  constructor(
    database: BetterSqlite3Database,
    options: { int64: Int64Policy; statementCacheSize: number; maxRows?: number | undefined },
    guardsSettings: boolean,
  ) {
    this.database = database
    this.#int64 = options.int64
    this.#maxRows = options.maxRows
    this.guardsSettings = guardsSettings
    this.#cache = new StatementCache(database, options.statementCacheSize, (sql) => {
      if (!isPragma(sql)) return
      if (guardsSettings) refuseGuardedSetting(sql)
      if (/defer_foreign_keys/i.test(sql)) this.#mayDefer = true
      // Many a PRAGMA does its work while it is prepared, and some do none inside a transaction.
      this.beforePragma?.()
    })
    this.#sentinel = new RowidSentinel(database)
  }

  prepare(sql: string): PreparedStatement {
    if (this.#mayDefer) this.#forgetDeferring()
    return this.#cache.get(sql)
  }

  /**
   * SQLite compiles a statement otherwise while `PRAGMA defer_foreign_keys` is on, and does not notice when the next commit
   * has turned it off: it would refuse a row, and leave it in the open transaction.
   */
  #forgetDeferring(): void {
    this.#cache.clear()
    this.#mayDefer = this.database.pragma('defer_foreign_keys', { simple: true }) === 1
  }

  /** Drops the prepared statements, and what was found out about them. */
  forgetStatements(): void {
    this.#cache.clear()
  }

  /** Runs a statement that writes nothing. */
  read(
    statement: PreparedStatement,
    parameters: readonly unknown[],
    rows: Rows,
    first: boolean,
    limit?: StatementLimit,
  ): SqliteResult<never> {
    const int64 = this.#int64
    const bound = bindableParameters(parameters, statement.sql)
    try {
      let result = this.#fetch(
        statement,
        bound,
        rows,
        first,
        int64 === 'bigint' || int64 === 'string',
        limit,
      )
      if (int64 === 'number' && mayBeInexact(statement, rows, result)) {
        result = this.#fetch(statement, bound, rows, first, true, limit)
        this.#convert(statement, result)
      } else if (int64 === 'string') {
        this.#convert(statement, result)
      }
      return { rows: result as never[], changes: undefined, insertId: undefined }
    } catch (error) {
      throw worded(error, statement)
    }
  }

  /** Runs any other statement. */
  write(
    statement: PreparedStatement,
    parameters: readonly unknown[],
    rows: Rows,
    first: boolean,
  ): SqliteResult<never> {
    const bound = bindableParameters(parameters, statement.sql)
    const rowidBefore =
      statement.verb === 'insert' && !statement.rowidIsKnown ? this.#sentinel.lastRowid() : 0n
    if (statement.setsRowid === 'perhaps') this.#sentinel.set()
    let changed = 0
    try {
      if (statement.reader) {
        const { result, change } = this.#writeReturning(statement, bound, rows)
        changed = change?.count ?? 0
        return {
          rows: (first ? result.slice(0, 1) : result) as never[],
          changes: change?.count,
          insertId: change && this.#insertId(statement, bound, rowidBefore, change),
        }
      }
      const { changes, lastInsertRowid } = statement.forRun().run(bound)
      changed = changes
      const change = { count: changes, rowid: lastInsertRowid as bigint }
      return {
        rows: [],
        changes: statement.countsRows ? changes : undefined,
        insertId: this.#insertId(statement, bound, rowidBefore, change),
      }
    } catch (error) {
      throw worded(error, statement)
    } finally {
      if (statement.setsRowid === 'perhaps') this.#sentinel.restore(rowidBefore, changed)
      // What is known of a statement may no longer hold when the schema has changed.
      if (statement.verb === 'other' || statement.verb === 'rollback to') this.forgetStatements()
    }
  }

  /** Runs one statement for many rows. */
  writeMany(request: BulkStatementsRequest): BulkStatementsResult {
    return this.#bulk.run(request)
  }

  /** The same, with the values from elsewhere. */
  writeStatements(statements: BulkStatements): BulkStatementsResult {
    return this.#bulk.runMany(statements)
  }

  /** Begins to step through the rows of any row-returning statement; every INTEGER by the policy. */
  iterate(statement: PreparedStatement, parameters: readonly unknown[], rows: Rows): RowIterator {
    const bound = bindableParameters(parameters, statement.sql)
    try {
      return new RowIterator(statement, bound, rows, this.#int64)
    } catch (error) {
      throw worded(error, statement)
    }
  }

  #writeReturning(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: Rows,
  ): { result: readonly unknown[]; change: Change | undefined } {
    // A value that cannot be delivered must not leave the row behind, so the write is undone with it.
    const undoable =
      statement.countsRows && (this.#int64 === 'number' || this.#maxRows !== undefined)
    if (undoable) this.#run('savepoint keelson_returning')
    try {
      const result = this.#all(statement, bound, rows, this.#int64 !== 'lossyNumber')
      const change = statement.countsRows ? this.#lastChange() : undefined
      if (this.#maxRows !== undefined && result.length > this.#maxRows)
        throw tooManyRows(statement, this.#maxRows)
      this.#convert(statement, result)
      if (undoable) this.#run('release keelson_returning')
      return { result, change }
    } catch (error) {
      // OR ROLLBACK and a full disk have ended the transaction, and the savepoint with it.
      if (undoable && this.database.inTransaction) {
        this.#run('rollback to keelson_returning')
        this.#run('release keelson_returning')
      }
      throw error
    }
  }

  #insertId(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rowidBefore: bigint,
    { count, rowid }: Change,
  ): bigint | undefined {
    if (statement.verb !== 'insert' || count === 0) return undefined
    const isNew = rowid !== rowidBefore
    if (statement.setsRowid === 'unwatched') return isNew ? rowid : undefined
    if (statement.setsRowid === 'perhaps') return this.#sentinel.holds(rowid) ? undefined : rowid
    if (statement.setsRowid === 'unknown') {
      const isSet = isNew || insertSetsRowid(this.database, statement.sql, bound)
      // Explaining a statement has set `changes()` to 0.
      if (!isNew) this.#sentinel.put(rowid, count)
      statement.setsRowid = isSet ? 'always' : 'never'
    }
    return statement.setsRowid === 'always' ? rowid : undefined
  }

  #lastChange(): Change {
    const query = this.#cache.get('select changes(), last_insert_rowid()').as('arrays', true)
    const [count, rowid] = query.get() as [bigint, bigint]
    return { count: Number(count), rowid }
  }

  #fetch(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: Rows,
    first: boolean,
    bigints: boolean,
    limit: StatementLimit | undefined,
  ): unknown[] {
    if (limit !== undefined || this.#maxRows !== undefined)
      return this.#stepwise(statement, bound, rows, first, bigints, limit)
    if (!first) return this.#all(statement, bound, rows, bigints)
    const row = statement.as(rows, bigints).get(bound)
    return row === undefined ? [] : statement.deliver(rows, [row])
  }

  #all(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: Rows,
    bigints: boolean,
  ): unknown[] {
    return statement.deliver(rows, statement.as(rows, bigints).all(bound))
  }

  #stepwise(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: Rows,
    first: boolean,
    bigints: boolean,
    { deadline, signal }: StatementLimit = unlimited,
  ): unknown[] {
    const result: unknown[] = []
    const maxRows = this.#maxRows ?? Infinity
    for (const row of statement.as(rows, bigints).iterate(bound)) {
      result.push(row)
      if (first) break
      if (result.length > maxRows) throw tooManyRows(statement, maxRows)
      if ((result.length & 63) !== 0) continue
      signal?.throwIfAborted()
      if (deadline !== undefined && performance.now() > deadline) {
        throw new QueryTimeoutError(
          `The statement had returned ${result.length} rows when queryTimeoutMs ran out: ${excerpt(statement.sql)}. ` +
            'Add a condition or a LIMIT, stream it, or allow more time.',
        )
      }
    }
    return statement.deliver(rows, result)
  }

  #convert(statement: PreparedStatement, result: readonly unknown[]): void {
    const names = (): readonly string[] => statement.columnNames()
    for (const row of result) convertRow(row, this.#int64, names)
  }

  #run(sql: string): void {
    this.#cache.get(sql).forRun().run()
  }
}

const unlimited: StatementLimit = { deadline: undefined, signal: undefined }

function mayBeInexact(
  statement: PreparedStatement,
  rows: Rows,
  result: readonly unknown[],
): boolean {
  // Compiling a scan, and checking that it still fits, pays only for many rows.
  if (rows === 'arrays') return arrayScan(result)
  if (result.length < 8) return genericScan(result)
  return statement.scanFor(result[0] as object)(result)
}
