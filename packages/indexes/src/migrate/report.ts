/** What `migrateSafely()` did. */
export interface MigrationReport {
  /** In the order in which they were applied. */
  readonly applied: readonly MigrationRun[]
  /** With `down`: in the order in which they were undone. */
  readonly undone: readonly MigrationRun[]
  /** Those that the history had already. */
  readonly skipped: readonly string[]
  /** Of those, the ones that another migrator had applied, and whose text is known from now on. */
  readonly adopted: readonly string[]
  /** Those that are left: behind `to`, or all of them in a dry run. */
  readonly pending: readonly string[]
  /** Of a dry run: the statements of each migration that would run. */
  readonly plan: readonly PlannedMigration[] | undefined
  /** In milliseconds, waiting for the lock included. */
  readonly durationMs: number
  readonly backup: MigrationBackup | undefined
}

export interface MigrationRun {
  readonly name: string
  /** In milliseconds. */
  readonly durationMs: number
  /** Whether it ran in a transaction of its own, with its row of the history. */
  readonly transaction: boolean
}

export interface PlannedMigration {
  readonly name: string
  readonly transaction: boolean
  /** Undefined where they cannot be known without running it; `why` says so. */
  readonly statements: readonly string[] | undefined
  readonly why?: string
}

export interface MigrationBackup {
  readonly path: string
  readonly bytes: number
  /** In milliseconds, the check of the copy included. */
  readonly durationMs: number
}

/** What `onProgress` is told. */
export type MigrationEvent =
  | { readonly kind: 'waiting'; readonly holder: string | undefined }
  | { readonly kind: 'adopted'; readonly name: string }
  | { readonly kind: 'backedUp'; readonly backup: MigrationBackup }
  | { readonly kind: 'started'; readonly name: string; readonly direction: Direction }
  | {
      readonly kind: 'finished'
      readonly name: string
      readonly direction: Direction
      readonly durationMs: number
    }

export type Direction = 'up' | 'down'
