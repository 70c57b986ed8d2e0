import { existsSync, rmSync } from 'node:fs'
import { MigrationRefusedError } from '../errors.ts'

/**
 * Makes a copy in a file that does not exist, and leaves none behind that has failed.
 *
 * @throws {MigrationRefusedError} `MIGRATION_BACKUP`
 */
export async function intoNewFile(path: string, copy: () => Promise<void>): Promise<void> {
  if (existsSync(path)) {
    throw backupError(
      `Cannot back up to ${path}: there is a file already. Name one that does not exist. Nothing was migrated.`,
    )
  }
  try {
    await copy()
  } catch (error) {
    rmSync(path, { force: true })
    if (error instanceof MigrationRefusedError) throw error
    throw backupError(
      `The backup to ${path} failed: ${(error as Error).message} Nothing was migrated; without \`backup\` none is made.`,
      error,
    )
  }
}

export function backupError(message: string, cause?: unknown): MigrationRefusedError {
  return new MigrationRefusedError(
    'MIGRATION_BACKUP',
    message,
    [],
    cause === undefined ? undefined : { cause },
  )
}

/** @throws always: the engine's server has its own tool, and its files are elsewhere. */
export async function refuseBackup(engine: string, tool: string): Promise<never> {
  throw backupError(
    `\`backup\` cannot copy a ${engine} database: its files are the server's. Run ${tool} before you migrate, ` +
      'and leave out `backup`. Nothing was migrated.',
  )
}

/** A value as SQL text, for statements that take no parameters. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
