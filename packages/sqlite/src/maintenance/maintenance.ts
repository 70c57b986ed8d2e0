/** Upkeep of one database. Each task waits for its turn on the write connection and never joins a transaction. */
export interface SqliteMaintenance {
  /**
   * Copies the database into a new file while it stays in use, checks the copy with `integrity_check`, and only then
   * gives it its name: a file of that name is a whole and sound copy, or is not there.
   *
   * @param file must not exist yet
   * @throws {SqliteBackupError} when the file exists, the copy cannot be written, or fails its check
   */
  backup(file: string | URL, options?: BackupOptions): Promise<BackupReport>
  /** Refreshes the planner's statistics where they are out of date. https://www.sqlite.org/pragma.html#pragma_optimize */
  optimize(): Promise<void>
  /** Rebuilds the file without its free pages. Blocks the event loop while it runs, and needs the space of a copy. */
  vacuum(): Promise<void>
  /** `PRAGMA integrity_check`. @returns every problem found, none when the file is sound */
  integrityCheck(): Promise<{ readonly ok: boolean; readonly problems: readonly string[] }>
  /** Rows that refer to a parent that is not there. https://www.sqlite.org/pragma.html#pragma_foreign_key_check */
  foreignKeyCheck(): Promise<readonly ForeignKeyViolation[]>
  /** How many such rows each table has, by table and parent; nothing is changed. */
  findOrphans(): Promise<readonly OrphanCount[]>
  /**
   * Deletes those rows in one transaction, and the rows that refer to them as their own foreign keys say.
   *
   * @param options.tables only in these tables; required, so that nothing is deleted by accident
   * @returns how many rows were deleted from each of them
   */
  deleteOrphans(options: {
    readonly tables: readonly string[] | 'all'
  }): Promise<readonly OrphanCount[]>
  /** What the database occupies. */
  size(): Promise<SqliteSize>
}

export interface BackupOptions {
  /** Called between slices, with pages of the database. */
  readonly onProgress?: (progress: {
    readonly totalPages: number
    readonly remainingPages: number
  }) => void
  /** Pages copied before the event loop gets its turn. @default 256 */
  readonly pagesPerSlice?: number
  /** Stops the copy and removes what it wrote. */
  readonly signal?: AbortSignal
}

export interface BackupReport {
  /** The absolute path of the copy. */
  readonly file: string
  readonly pages: number
  readonly bytes: number
  readonly elapsedMs: number
}

export interface ForeignKeyViolation {
  readonly table: string
  /** `undefined` in a table without rowid. */
  readonly rowid: bigint | undefined
  readonly parent: string
  /** Which foreign key of the table, as `PRAGMA foreign_key_list` numbers them. */
  readonly foreignKey: number
}

export interface OrphanCount {
  readonly table: string
  readonly parent: string
  readonly rows: number
}

export interface SqliteSize {
  readonly pageSize: number
  readonly pages: number
  /** Pages that hold nothing and that `vacuum()` would give back. */
  readonly freePages: number
  /** `pageSize * pages`. */
  readonly bytes: number
  /** Size of the write-ahead log; 0 when there is none. */
  readonly walBytes: number
}
