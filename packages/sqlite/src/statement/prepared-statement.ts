import { excerpt, objectFrom, ParameterError } from '@keelson/core/base'
import type { BetterSqlite3Database, BetterSqlite3Statement } from '../better-sqlite3.ts'
import { SqliteStatementError } from '../errors.ts'
import { objectScan, type InexactScan } from '../values/int64.ts'
import { statementVerb, type StatementVerb } from './verb.ts'

/** A prepared statement with what is worth knowing of it, found out once. */
export class PreparedStatement {
  readonly sql: string
  readonly verb: StatementVerb
  /** Returns rows. */
  readonly reader: boolean
  /** SQLite counts the rows it changes. */
  readonly countsRows: boolean
  /** A read that may run on any connection, unless `readRoute` says otherwise. */
  readonly isRead: boolean
  /**
   * Whether an INSERT sets `last_insert_rowid()`. An upsert does so only when it inserts; one that asks for it cannot
   * be watched.
   */
  setsRowid: 'unknown' | 'always' | 'never' | 'perhaps' | 'unwatched'
  /** Object rows are made here: better-sqlite3 loses a column named `__proto__`. */
  readonly needsObjects: boolean
  /** It returns whatever columns there are. */
  readonly hasStar: boolean
  /** An iterator has it, so that it cannot be run a second time. */
  isStepping = false
  /** Which connections may run it; found out when first asked for. */
  route: { readonly kind: 'any' | 'writer'; readonly generation: number } | undefined

  readonly #statement: BetterSqlite3Statement
  #asArrays = false
  #asBigints = false
  #columns: readonly string[] | undefined
  #scan: InexactScan | undefined

  constructor(database: BetterSqlite3Database, sql: string) {
    this.#statement = prepare(database, sql)
    this.sql = sql
    this.verb = statementVerb(sql)
    this.reader = this.#statement.reader
    this.isRead =
      this.reader && this.#statement.readonly && (this.verb === 'select' || this.verb === 'other')
    // The name of such a column stands in the text, or is hidden behind a `*`.
    this.hasStar = this.reader && sql.includes('*')
    const mayHaveProto = this.hasStar || (this.reader && sql.includes('__proto__'))
    this.needsObjects = mayHaveProto && this.columnNames().includes('__proto__')
    this.countsRows = this.verb === 'insert' || this.verb === 'update' || this.verb === 'delete'
    this.setsRowid = this.verb === 'insert' ? rowidOfInsert(sql) : 'never'
  }

  /** An INSERT whose effect on `last_insert_rowid()` needs no finding out. */
  get rowidIsKnown(): boolean {
    return this.setsRowid === 'always' || this.setsRowid === 'never'
  }

  /** The statement, set to deliver rows this way. */
  as(rows: 'objects' | 'arrays', bigints: boolean): BetterSqlite3Statement {
    const asArrays = rows === 'arrays' || this.needsObjects
    if (asArrays !== this.#asArrays) {
      this.#statement.raw(asArrays)
      this.#asArrays = asArrays
    }
    if (bigints !== this.#asBigints) this.#setBigints(bigints)
    return this.#statement
  }

  /** The statement, set to report `lastInsertRowid` without rounding. */
  forRun(): BetterSqlite3Statement {
    if (!this.#asBigints) this.#setBigints(true)
    return this.#statement
  }

  /** Column names, as they are now: another process may have added one to a `select *`. */
  columnNames(): readonly string[] {
    return this.#statement.columns().map(({ name }) => name)
  }

  /** Finds numbers in objects that may have been rounded. */
  scanFor(firstRow: object): InexactScan {
    const names = Object.keys(firstRow)
    if (this.#scan === undefined || !areEqual(names, this.#columns!)) {
      this.#columns = names
      this.#scan = objectScan(names)
    }
    return this.#scan
  }

  /** Rows as they were asked for, from rows as `as()` made the statement return them. */
  deliver(rows: 'objects' | 'arrays', result: unknown[]): unknown[] {
    if (!this.needsObjects || rows === 'arrays') return result
    const names = this.columnNames()
    return result.map((row) => objectFrom(names, (index) => (row as unknown[])[index]))
  }

  #setBigints(on: boolean): void {
    this.#statement.safeIntegers(on)
    this.#asBigints = on
  }
}

function rowidOfInsert(sql: string): 'unknown' | 'perhaps' | 'unwatched' {
  // Every upsert that may update contains both words; other statements that do merely take the slower path.
  const isUpsert = /\bconflict\b/i.test(sql) && /\bupdate\b/i.test(sql)
  if (!isUpsert) return 'unknown'
  return /last_insert_rowid/i.test(sql) ? 'unwatched' : 'perhaps'
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}

function prepare(database: BetterSqlite3Database, sql: string): BetterSqlite3Statement {
  // SQLite stops reading at a NUL, so what stands behind it would silently not be part of the statement.
  if (sql.includes('\0')) {
    throw new SqliteStatementError(
      'NUL_IN_SQL',
      'The SQL text contains a NUL character, behind which SQLite would not read on. Bind the value as a parameter instead.',
    )
  }
  try {
    return database.prepare(sql)
  } catch (error) {
    if (error instanceof Error && /too many SQL variables/.test(error.message)) {
      throw new ParameterError(
        'TOO_MANY_PARAMETERS',
        `SQLite binds at most 32,766 parameters in one statement; this one has more: ${excerpt(sql)}. Split it into several statements.`,
        { cause: error },
      )
    }
    if (error instanceof RangeError) {
      if (/more than one statement/.test(error.message)) {
        throw new SqliteStatementError(
          'MULTIPLE_STATEMENTS',
          `One call runs one statement; this text holds several: ${excerpt(sql)}. Run them one by one, in a transaction if they belong together.`,
          { cause: error },
        )
      }
      if (/contains no statements/.test(error.message)) {
        throw new SqliteStatementError(
          'EMPTY_STATEMENT',
          'The SQL text holds no statement, only white space or comments.',
          { cause: error },
        )
      }
    }
    throw error
  }
}
