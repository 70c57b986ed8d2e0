import type { BetterSqlite3Database, BetterSqlite3Statement } from '../better-sqlite3.ts'

const sentinel = -9_223_372_036_854_775_808n

/**
 * Tells whether a statement has inserted a row. SQLite keeps the rowid of the last insert of the connection, however
 * long ago, and better-sqlite3 cannot set it; so a row of a table of our own, in the connection's temporary database,
 * is inserted before, whose rowid no table hands out by itself.
 */
export class RowidSentinel {
  readonly #database: BetterSqlite3Database
  #insert: BetterSqlite3Statement | undefined

  constructor(database: BetterSqlite3Database) {
    this.#database = database
  }

  set(): void {
    this.#insert ??= this.#prepare()
    try {
      this.#insert.run()
    } catch (error) {
      // A transaction that was rolled back took the table with it.
      if (!(error instanceof Error && /no such table/.test(error.message))) throw error
      this.#insert = this.#prepare()
      this.#insert.run()
    }
  }

  holds(rowid: bigint): boolean {
    return rowid === sentinel
  }

  #prepare(): BetterSqlite3Statement {
    this.#database
      .prepare('create temp table if not exists keelson_rowid (id integer primary key)')
      .run()
    return this.#database.prepare(`insert or replace into temp.keelson_rowid values (${sentinel})`)
  }
}
