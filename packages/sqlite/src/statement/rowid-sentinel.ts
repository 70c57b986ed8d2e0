import type { BetterSqlite3Database, BetterSqlite3Statement } from '../better-sqlite3.ts'
import { statementProgram } from './program.ts'

const sentinel = -9_223_372_036_854_775_808n

/**
 * Tells whether an upsert has inserted a row. SQLite keeps the rowid of the last insert of the connection, however
 * long ago, and better-sqlite3 cannot set it; so a row of a table of our own, in the connection's temporary database,
 * is inserted before, whose rowid no table hands out by itself, and afterwards one with the rowid as it was.
 */
export class RowidSentinel {
  readonly #database: BetterSqlite3Database
  #lastRowid: BetterSqlite3Statement | undefined
  #insert: ((rowid: bigint, times: number) => void) | undefined
  #isSet = false

  constructor(database: BetterSqlite3Database) {
    this.#database = database
  }

  lastRowid(): bigint {
    this.#lastRowid ??= this.#database
      .prepare('select last_insert_rowid()')
      .raw(true)
      .safeIntegers(true)
    return (this.#lastRowid.get() as [bigint])[0]
  }

  set(): void {
    this.#write(sentinel, 1)
    this.#isSet = true
  }

  /** Puts back what `last_insert_rowid()` and `changes()` return, unless a row was inserted. */
  restore(rowid: bigint, changes: number): void {
    if (!this.#isSet) return
    this.#isSet = false
    if (this.holds(this.lastRowid())) this.put(rowid, changes)
  }

  /** Makes `last_insert_rowid()` and `changes()` return this. */
  put(rowid: bigint, changes: number): void {
    this.#write(rowid, Math.max(1, changes))
    if (changes === 0) this.#database.prepare('delete from temp.keelson_rowid where false').run()
  }

  holds(rowid: bigint): boolean {
    return rowid === sentinel
  }

  #write(rowid: bigint, times: number): void {
    this.#insert ??= this.#prepare()
    try {
      this.#insert(rowid, times)
    } catch (error) {
      // A transaction that was rolled back took the table with it.
      if (!(error instanceof Error && /no such table/.test(error.message))) throw error
      this.#insert = this.#prepare()
      this.#insert(rowid, times)
    }
  }

  #prepare(): (rowid: bigint, times: number) => void {
    this.#database
      .prepare('create temp table if not exists keelson_rowid (id integer primary key)')
      .run()
    const empty = this.#database.prepare('delete from temp.keelson_rowid')
    const once = this.#database.prepare('insert or replace into temp.keelson_rowid values (?)')
    const often = this.#database.prepare(
      'with recursive time(n) as (select 1 union all select n + 1 from time where n < ?) ' +
        'insert or replace into temp.keelson_rowid select ? from time',
    )
    return (rowid, times) => {
      empty.run()
      if (times === 1) once.run(rowid)
      else often.run(times, rowid)
    }
  }
}

// https://github.com/sqlite/sqlite/blob/master/src/sqliteInt.h
const opflagLastRowid = 0x20

/** Tells whether an INSERT sets `last_insert_rowid()`, as it does unless its table has no rowid. */
export function insertSetsRowid(
  database: BetterSqlite3Database,
  sql: string,
  bound: readonly unknown[],
): boolean {
  let previous = -1
  for (const { addr, opcode, p1, p5 } of statementProgram(database, sql, bound)) {
    // A trigger's program begins anew, and what it inserts is forgotten when it ends.
    if (addr < previous) return false
    if (opcode === 'Insert' && (p5 & opflagLastRowid) !== 0) return true
    if (opcode === 'VUpdate' && p1 === 1) return true
    previous = addr
  }
  return false
}
