import type { BetterSqlite3Database, BetterSqlite3Statement } from '../better-sqlite3.ts'
import type { Int64Policy, SqliteResult } from '../contract.ts'
import { ParameterError, QueryTimeoutError } from '../errors.ts'
import { convertRow } from '../values/int64.ts'
import { bindableParameters } from '../values/parameters.ts'
import { excerpt, type PreparedStatement } from './prepared-statement.ts'
import { RowidSentinel } from './rowid-sentinel.ts'
import { StatementCache } from './statement-cache.ts'

type Rows = 'objects' | 'arrays'

/** Stops a statement between two rows. */
export interface StatementLimit {
  readonly deadline: number | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * Runs statements on one connection, synchronously: cached, with exact counts and row ids, and integers by the int64
 * policy. It knows nothing of transactions, locks or other connections.
 */
export class StatementEngine {
  readonly database: BetterSqlite3Database
  readonly #int64: Int64Policy
  readonly #cache: StatementCache
  readonly #sentinel: RowidSentinel

  constructor(
    database: BetterSqlite3Database,
    options: { int64: Int64Policy; statementCacheSize: number },
  ) {
    this.database = database
    this.#int64 = options.int64
    this.#cache = new StatementCache(database, options.statementCacheSize)
    this.#sentinel = new RowidSentinel(database)
  }

  prepare(sql: string): PreparedStatement {
    return this.#cache.get(sql)
  }

  /** Runs a statement that writes nothing. */
  read(
    statement: PreparedStatement,
    parameters: readonly unknown[],
    rows: Rows,
    first: boolean,
    limit?: StatementLimit,
  ): SqliteResult<never> {
    const bound = bindableParameters(parameters, statement.sql)
    const exact = this.#int64 === 'bigint' || this.#int64 === 'string'
    let result = this.#fetch(statement, bound, rows, first, exact, limit)
    if (
      this.#int64 === 'number' &&
      result.length > 0 &&
      statement.scanFor(rows, result[0] as object)(result)
    ) {
      result = this.#fetch(statement, bound, rows, first, true, limit)
      this.#convert(statement, result)
    } else if (this.#int64 === 'string') {
      this.#convert(statement, result)
    }
    return { rows: result as never[], changes: undefined, insertId: undefined }
  }

  /** Runs any other statement. */
  write(
    statement: PreparedStatement,
    parameters: readonly unknown[],
    rows: Rows,
    first: boolean,
  ): SqliteResult<never> {
    const bound = bindableParameters(parameters, statement.sql)
    const watched =
      statement.verb === 'insert' &&
      statement.setsRowid !== 'always' &&
      statement.setsRowid !== 'never'
    if (watched) this.#sentinel.set()
    if (statement.reader) return this.#writeReturning(statement, bound, rows, first)
    const { changes, lastInsertRowid } = bindErrors(statement, () => statement.forRun().run(bound))
    return {
      rows: [],
      changes: countsRows(statement) ? changes : undefined,
      insertId: this.#insertId(statement, changes, lastInsertRowid as bigint),
    }
  }

  /** Steps through the rows of any row-returning statement; every INTEGER by the policy. */
  *iterate(
    statement: PreparedStatement,
    parameters: readonly unknown[],
    rows: Rows,
  ): Generator<unknown, void> {
    const bound = bindableParameters(parameters, statement.sql)
    const lossy = this.#int64 === 'lossyNumber'
    const iterator = bindErrors(statement, () => statement.as(rows, !lossy).iterate(bound))
    const convert = this.#int64 === 'number' || this.#int64 === 'string'
    const names = onceNames(statement)
    for (const row of iterator) {
      const value =
        statement.needsObjects && rows === 'objects' ? objectFrom(row as unknown[], names()) : row
      if (convert) convertRow(value, this.#int64, names)
      yield value
    }
  }

  #writeReturning(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: Rows,
    first: boolean,
  ): SqliteResult<never> {
    const lossy = this.#int64 === 'lossyNumber'
    // A value that cannot be delivered must not leave the row behind, so the write is undone with it.
    const savepoint = this.#int64 === 'number' && statement.verb !== 'pragma'
    if (savepoint) this.#run('savepoint keelson_returning')
    try {
      const result = this.#all(statement, bound, rows, !lossy)
      const { changes, rowid } = countsRows(statement)
        ? this.#lastChange()
        : { changes: undefined, rowid: 0n }
      this.#convert(statement, result)
      if (savepoint) this.#run('release keelson_returning')
      return {
        rows: (first ? result.slice(0, 1) : result) as never[],
        changes,
        insertId: this.#insertId(statement, changes ?? 0, rowid),
      }
    } catch (error) {
      // OR ROLLBACK and a full disk have ended the transaction, and the savepoint with it.
      if (savepoint && this.database.inTransaction) {
        this.#run('rollback to keelson_returning')
        this.#run('release keelson_returning')
      }
      throw error
    }
  }

  #insertId(statement: PreparedStatement, changes: number, rowid: bigint): bigint | undefined {
    if (statement.verb !== 'insert' || changes === 0) return undefined
    if (statement.setsRowid === 'always') return rowid
    if (statement.setsRowid === 'never') return undefined
    const inserted = !this.#sentinel.holds(rowid)
    if (statement.setsRowid === 'unknown') statement.setsRowid = inserted ? 'always' : 'never'
    return inserted ? rowid : undefined
  }

  #lastChange(): { changes: number; rowid: bigint } {
    const query = this.#cache.get('select changes(), last_insert_rowid()').as('arrays', true)
    const [changes, rowid] = query.get() as [bigint, bigint]
    return { changes: Number(changes), rowid }
  }

  #fetch(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: Rows,
    first: boolean,
    bigints: boolean,
    limit: StatementLimit | undefined,
  ): unknown[] {
    if (limit !== undefined) return this.#stepwise(statement, bound, rows, first, bigints, limit)
    if (!first) return this.#all(statement, bound, rows, bigints)
    const row = bindErrors(statement, () => statement.as(rows, bigints).get(bound))
    return row === undefined ? [] : this.#objects(statement, rows, [row])
  }

  #all(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: Rows,
    bigints: boolean,
  ): unknown[] {
    return this.#objects(
      statement,
      rows,
      bindErrors(statement, () => statement.as(rows, bigints).all(bound)),
    )
  }

  #stepwise(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: Rows,
    first: boolean,
    bigints: boolean,
    { deadline, signal }: StatementLimit,
  ): unknown[] {
    const result: unknown[] = []
    for (const row of bindErrors(statement, () => statement.as(rows, bigints).iterate(bound))) {
      result.push(row)
      if (first) break
      if ((result.length & 63) !== 0) continue
      signal?.throwIfAborted()
      if (deadline !== undefined && performance.now() > deadline) {
        throw new QueryTimeoutError(
          `The statement had returned ${result.length} rows when queryTimeoutMs ran out: ${excerpt(statement.sql)}. ` +
            'Add a condition or a LIMIT, stream it, or allow more time.',
        )
      }
    }
    return this.#objects(statement, rows, result)
  }

  #objects(statement: PreparedStatement, rows: Rows, result: unknown[]): unknown[] {
    if (rows === 'arrays' || !statement.needsObjects) return result
    const names = statement.columnNames()
    return result.map((row) => objectFrom(row as unknown[], names))
  }

  #convert(statement: PreparedStatement, result: readonly unknown[]): void {
    const names = onceNames(statement)
    for (const row of result) convertRow(row, this.#int64, names)
  }

  #run(sql: string): void {
    this.#cache.get(sql).forRun().run()
  }
}

function countsRows({ verb }: PreparedStatement): boolean {
  return verb === 'insert' || verb === 'update' || verb === 'delete'
}

function onceNames(statement: PreparedStatement): () => readonly string[] {
  let names: readonly string[] | undefined
  return () => (names ??= statement.columnNames())
}

function objectFrom(values: readonly unknown[], names: readonly string[]): object {
  const row = {}
  for (const [index, name] of names.entries()) {
    Object.defineProperty(row, name, {
      value: values[index],
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return row
}

/** Words better-sqlite3's complaints about the number of parameters so that they say what to do. */
function bindErrors<T>(statement: PreparedStatement, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof RangeError && /parameter values were provided/.test(error.message)) {
      throw new ParameterError(
        'PARAMETER_COUNT',
        `${error.message.replace(/\.?$/, '')} for ${excerpt(statement.sql)}. Give one value for each placeholder.`,
        { cause: error },
      )
    }
    throw error
  }
}

/** What a connection needs of a better-sqlite3 statement to begin and end transactions. */
export type ControlStatement = Pick<BetterSqlite3Statement, 'run'>
