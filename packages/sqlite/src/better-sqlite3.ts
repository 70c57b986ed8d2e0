/**
 * The part of better-sqlite3 that Keelson calls, so that its types need not be installed.
 * https://github.com/WiseLibs/better-sqlite3/blob/master/docs/api.md
 */
export interface BetterSqlite3Database {
  readonly name: string
  readonly open: boolean
  readonly inTransaction: boolean
  readonly readonly: boolean
  readonly memory: boolean
  prepare(sql: string): BetterSqlite3Statement
  function(
    name: string,
    options: { deterministic?: boolean; directOnly?: boolean },
    fn: () => unknown,
  ): unknown
  pragma(source: string, options?: { simple?: boolean }): unknown
  backup(
    file: string,
    options?: { progress?: (info: { totalPages: number; remainingPages: number }) => number },
  ): Promise<{ totalPages: number; remainingPages: number }>
  close(): unknown
}

export interface BetterSqlite3Statement {
  readonly reader: boolean
  readonly readonly: boolean
  readonly busy: boolean
  run(...parameters: unknown[]): { changes: number; lastInsertRowid: number | bigint }
  get(...parameters: unknown[]): unknown
  all(...parameters: unknown[]): unknown[]
  iterate(...parameters: unknown[]): IterableIterator<unknown>
  raw(toggle?: boolean): this
  safeIntegers(toggle?: boolean): this
  columns(): {
    name: string
    column: string | null
    table: string | null
    database: string | null
    type: string | null
  }[]
}
