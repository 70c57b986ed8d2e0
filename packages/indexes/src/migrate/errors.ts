import { KeelsonError } from '@keelson/core'
import type { MigrationReport } from './report.ts'

/**
 * The history and the migrations do not fit together, or a migration did what it must not. Of the migration it names
 * nothing was kept.
 */
export class MigrationRefusedError extends KeelsonError {
  declare readonly code:
    | 'MIGRATION_SOURCE'
    | 'MIGRATION_EDITED'
    | 'MIGRATION_MISSING'
    | 'MIGRATION_OUT_OF_ORDER'
    | 'MIGRATION_DIRTY'
    | 'MIGRATION_DATA_LOSS'
    | 'MIGRATION_FOREIGN_KEYS'
    | 'MIGRATION_NO_DOWN'
  /** The migrations that it is about. */
  readonly migrations: readonly string[]
  /** What was done before, where anything may have been. */
  report: MigrationReport | undefined

  constructor(
    code: MigrationRefusedError['code'],
    message: string,
    migrations: readonly string[],
    options?: ErrorOptions,
  ) {
    super(code, message, options)
    this.migrations = migrations
    this.report = undefined
  }
}

export function sourceError(
  message: string,
  migrations: readonly string[] = [],
  cause?: unknown,
): MigrationRefusedError {
  return new MigrationRefusedError(
    'MIGRATION_SOURCE',
    message,
    migrations,
    cause === undefined ? undefined : { cause },
  )
}

/** A migration failed; `cause` is the error of the engine or of the migration's own code. */
export class MigrationFailedError extends KeelsonError {
  declare readonly code: 'MIGRATION_FAILED'
  readonly migration: string
  /** The last statement it sent. */
  readonly statement: string | undefined
  /** `false`: it ran without a transaction, so that a part of it may be there, and it is marked dirty. */
  readonly isRolledBack: boolean
  /** What was done before. */
  report: MigrationReport | undefined

  constructor(
    message: string,
    details: {
      readonly migration: string
      readonly statement: string | undefined
      readonly isRolledBack: boolean
      readonly cause: unknown
    },
  ) {
    super('MIGRATION_FAILED', message, { cause: details.cause })
    this.migration = details.migration
    this.statement = details.statement
    this.isRolledBack = details.isRolledBack
    this.report = undefined
  }
}

/** Somebody else had the lock for longer than `lockTimeoutMs`. */
export class MigrationLockError extends KeelsonError {
  declare readonly code: 'MIGRATION_LOCK_TIMEOUT'
  /** Who has it, where that can be known. */
  readonly holder: string | undefined
  /** What was done before. */
  report: MigrationReport | undefined

  constructor(message: string, holder: string | undefined, options?: ErrorOptions) {
    super('MIGRATION_LOCK_TIMEOUT', message, options)
    this.holder = holder
    this.report = undefined
  }
}
