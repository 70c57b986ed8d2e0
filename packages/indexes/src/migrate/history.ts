import type { EngineName, Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { Migration } from './migration.ts'

/** The table in which an ORM's own migrator remembers what has been applied; it stays readable to that migrator. */
export interface History {
  readonly table: string
  readonly schema: string | undefined
  /** PostgreSQL: the key of the advisory lock that the ORM's own migrator takes. */
  readonly migratorLock: string | undefined
  /** What creates the table, given its quoted name. */
  create(table: string, engine: EngineName): readonly string[]
  read(session: HostSession, table: string): Steps<readonly HistoryRow[]>
  /** @param rows what the table has */
  add(
    session: HostSession,
    table: string,
    migration: Migration,
    rows: readonly HistoryRow[],
  ): Steps<void>
  remove(session: HostSession, table: string, row: HistoryRow): Steps<void>
}

export interface HistoryRow {
  /** Undefined for a row that belongs to no migration there is. */
  readonly name: string | undefined
  /** How a message calls it where it has no name. */
  readonly label: string
  /** In milliseconds of the epoch. */
  readonly at: number
  /** What identifies the row. */
  readonly key: unknown
  /** SHA-256 of the text that was applied, where the ORM's migrator keeps it. */
  readonly hash: string | undefined
  /** Whether that text is another one than the migration has now. */
  readonly isEdited: boolean
}

/** What this package remembers of a migration beside the history. */
export interface Note {
  readonly name: string
  readonly checksum: string | undefined
  readonly content: string | undefined
  /** `applying`, `undoing`: it began without a transaction, and has not come to its end. */
  readonly state: 'applied' | 'applying' | 'undoing'
  /** The process that applied it. */
  readonly holder: string
  readonly startedAt: string
}
