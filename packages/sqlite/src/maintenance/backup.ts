import { existsSync, linkSync, renameSync, rmSync, statSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { checkOptionNames, invalidOption, Holder } from '@keelson/core'
import Database from 'better-sqlite3'
import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import { SqliteBackupError, SqliteOpenError } from '../errors.ts'
import type { InlineEngine } from '../inline/inline-engine.ts'
import { resolvePath } from '../path.ts'
import { integrityProblems } from './integrity.ts'
import type { BackupOptions, BackupReport } from './maintenance.ts'

/**
 * Copies in slices from the connection that writes: a copy through another connection starts over at every commit,
 * and never ends on a busy database.
 */
export async function backup(
  engine: InlineEngine,
  target: string | URL,
  options: BackupOptions,
): Promise<BackupReport> {
  checkOptionNames('backup()', options, ['onProgress', 'pagesPerSlice', 'signal'])
  const { pagesPerSlice = 256, signal } = options
  if (!Number.isInteger(pagesPerSlice) || pagesPerSlice < 1)
    invalidOption('backup()', 'pagesPerSlice', pagesPerSlice, 'a whole number from 1')
  signal?.throwIfAborted()
  engine.assertOpen()
  const start = performance.now()
  const file = resolvePath(target, engine.options.directory, 'backup()')
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
    const { totalPages } = await copy(engine, unfinished, options, pagesPerSlice)
    check(unfinished, file)
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

async function copy(
  engine: InlineEngine,
  file: string,
  options: BackupOptions,
  pagesPerSlice: number,
): Promise<{ totalPages: number }> {
  const { database } = engine.writer
  // Inside a transaction the first slice copies nothing, which better-sqlite3 takes for the end of an empty database.
  const holder = new Holder('maintenance', 'backup()')
  await engine.gate.enter(holder, 'backup()', options.signal)
  try {
    const copied = await database.backup(file, {
      progress: ({ totalPages, remainingPages }) => {
        engine.gate.leave(holder)
        options.signal?.throwIfAborted()
        engine.assertOpen()
        options.onProgress?.({ totalPages, remainingPages })
        return pagesPerSlice
      },
    })
    if (copied.totalPages === 0 && database.pragma('page_count', { simple: true }) !== 0)
      throw new Error('SQLite copied none of its pages')
    return copied
  } finally {
    engine.gate.leave(holder)
  }
}

function check(unfinished: string, file: string): void {
  const database = new Database(unfinished) as unknown as BetterSqlite3Database
  try {
    // A copy in WAL mode would leave files of its own beside it.
    database.pragma('journal_mode = delete')
    const problems = integrityProblems(database)
    if (problems.length === 0) return
    throw new SqliteBackupError(
      'BACKUP_CORRUPT',
      `The copy for ${file} fails its integrity check: ${problems.slice(0, 3).join('; ').replaceAll('\n', ' ')}. Run maintenance.integrityCheck() on the database itself.`,
    )
  } finally {
    database.close()
  }
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
