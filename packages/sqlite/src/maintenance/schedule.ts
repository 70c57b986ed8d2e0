/** See `SqliteDatabase.maintain`. */
export type Maintain = (schedule: MaintenanceSchedule) => { stop(): void }

export interface MaintenanceSchedule {
  /**
   * What runs, and how often, in milliseconds: `{ optimize: 3_600_000 }`. Each task first runs after its first
   * interval, one task at a time.
   */
  readonly every: Readonly<Partial<Record<MaintenanceTask, number>>>
  /** Called after a task; a failed check arrives here as an error of its own. */
  readonly onResult?: (result: {
    readonly task: MaintenanceTask
    readonly elapsedMs: number
    readonly error: unknown
  }) => void
}

/** `checkpoint` writes the log back into the file and shortens it. */
export type MaintenanceTask =
  | 'optimize'
  | 'checkpoint'
  | 'integrityCheck'
  | 'foreignKeyCheck'
  | 'vacuum'
