import { excerpt, KeelsonError } from '@keelson/core'
import { DuckDBStatementError } from '../errors.ts'
import { adviceFor, type MigrationAdvice } from './migration-advice.ts'

/**
 * DuckDB could not run a statement of a migration. Nothing of any migration of this run was applied; `cause` is the error
 * of the engine, or of what refused the statement.
 */
export class MigrationError extends KeelsonError {
  declare readonly code: 'MIGRATION_FAILED'
  /** The name of the migration's file, without `.sql`. */
  readonly migration: string
  /** The statement as it stands in the file. */
  readonly statement: string
  /** What to write in its place, where this is something that `drizzle-kit` writes for PostgreSQL only. */
  readonly instead: string | undefined

  constructor(migration: string, statement: string, cause: unknown) {
    const advice = isSeveral(cause) ? severalStatements : adviceFor(statement)
    const reason = advice?.reason ?? (cause instanceof Error ? firstLine(cause) : String(cause))
    const instead = advice?.instead ?? 'Write it as DuckDB runs it.'
    super(
      'MIGRATION_FAILED',
      `Migration ${migration} fails at ${excerpt(statement)}: ${reason} ${instead} ` +
        `Edit ${migration}.sql; nothing was applied.`,
      { cause },
    )
    this.migration = migration
    this.statement = statement
    this.instead = advice?.instead
  }
}

const severalStatements: MigrationAdvice = {
  reason: 'Several statements stand there without a breakpoint between them.',
  instead: 'Write `--> statement-breakpoint` between them.',
}

function isSeveral(cause: unknown): boolean {
  return cause instanceof DuckDBStatementError && cause.code === 'MULTIPLE_STATEMENTS'
}

/** The message as a sentence, without the hints that DuckDB puts on further lines. */
function firstLine({ message }: Error): string {
  const described = /"exception_message":("(?:[^"\\]|\\.)*")/.exec(message)
  const text = described === null ? message : (JSON.parse(described[1]!) as string)
  const [line = ''] = text.trim().split('\n')
  return /[.!?]$/.test(line) ? line : `${line}.`
}
