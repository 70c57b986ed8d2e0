import { existsSync, linkSync, renameSync, rmSync, statSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { checkOptionNames, invalidOption } from '@keelson/core'
import { SqliteBackupError, SqliteOpenError } from '../errors.ts'
import { resolvePath } from '../path.ts'
import type { BackupOptions, BackupReport } from './maintenance.ts'

/** What a backup needs of the database. */
export interface BackupSource {
  readonly directory: string | URL | undefined
  assertOpen(): void
  /** Copies the database, and tells what is wrong with the copy. */
  copy(
    file: string,
    pagesPerSlice: number,
    options: BackupOptions,
  ): Promise<{ readonly totalPages: number; readonly problems: readonly string[] }>
}

/**
 * Copies in slices from the connection that writes: a copy through another connection starts over at every commit,
 * and never ends on a busy database.
 */
export async function backup(
  source: BackupSource,
  target: string | URL,
  options: BackupOptions,
): Promise<BackupReport> {
  checkOptionNames('backup()', options, ['onProgress', 'pagesPerSlice', 'signal'])
  const { pagesPerSlice = 256, signal } = options
  if (!Number.isInteger(pagesPerSlice) || pagesPerSlice < 1)
    invalidOption('backup()', 'pagesPerSlice', pagesPerSlice, 'a whole number from 1')
  signal?.throwIfAborted()
  source.assertOpen()
  const start = performance.now()
  const file = resolvePath(target, source.directory, 'backup()')
  if (file === ':memory:') {
    throw new SqliteOpenError(
      'PATH_INVALID',
      "backup() cannot use ':memory:' as `path`: the copy would be gone at once. Give the path of a file.",
    )
  }
  if (existsSync(file)) throw existing(file)
  // The copy bears its real name only when it is whole and sound.
  const unfinished = `${file}.${randomUUID()}.unfinished`
  try {
    const { totalPages, problems } = await source.copy(unfinished, pagesPerSlice, options)
    if (problems.length > 0) throw corrupt(file, problems)
    const { size } = statSync(unfinished)
    giveName(unfinished, file)
    return { file, pages: totalPages, bytes: size, elapsedMs: performance.now() - start }
  } catch (error) {
    if (error instanceof SqliteBackupError || (signal?.aborted === true && error === signal.reason))
      throw error
    throw new SqliteBackupError(
      'BACKUP_FAILED',
      `The backup to ${file} failed: ${(error as Error).message}. Nothing was left behind.`,
      { cause: error },
    )
  } finally {
    for (const suffix of ['', '-wal', '-shm', '-journal'])
      rmSync(unfinished + suffix, { force: true })
  }
}

function corrupt(file: string, problems: readonly string[]): SqliteBackupError {
  return new SqliteBackupError(
    'BACKUP_CORRUPT',
    `The copy for ${file} fails its integrity check: ${problems.slice(0, 3).join('; ').replaceAll('\n', ' ')}. Run maintenance.integrityCheck() on the database itself.`,
  )
}

/** Fails where a rename would silently replace a file that has appeared meanwhile. */
function giveName(unfinished: string, file: string): void {
  try {
    linkSync(unfinished, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw existing(file)
    // Some file systems know no hard links.
    if (existsSync(file)) throw existing(file)
    renameSync(unfinished, file)
  }
}

function existing(file: string): SqliteBackupError {
  return new SqliteBackupError(
    'BACKUP_EXISTS',
    `${file} exists, and a backup does not overwrite. Give a new name, or remove the file first.`,
  )
}
