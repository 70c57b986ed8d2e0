import type { Steps } from '@keelson/core'
import type { MigrationSession } from './migration-host.ts'
import type { Direction } from './report.ts'

/** One migration, of whichever ORM. */
export interface Migration {
  readonly name: string
  /** What tells whether it was edited; undefined where there is no text to be had of it. */
  readonly checksum: string | undefined
  /** The text behind the checksum, to show later what was edited. */
  readonly content: string | undefined
  /** `false`: it declares that it cannot run in a transaction. */
  readonly transaction: boolean
  readonly hasDown: boolean
  /** Its statements, where they are known without running it. */
  readonly statements: readonly string[] | undefined
  /** @param sending is told each statement before it is sent */
  run(
    session: MigrationSession,
    direction: Direction,
    sending: (statement: string) => void,
  ): Steps<void>
}
