import { readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeValue } from '@keelson/core'
import { DuckDBOpenError } from './errors.ts'

/** The absolute path that the user means, or `':memory:'`. Looks at no file. */
export function resolvePath(path: unknown): string {
  if (path === ':memory:') return path
  if (path instanceof URL) return fromUrl(path.href)
  if (typeof path !== 'string') throw invalid(path, 'is not a path. Give a text, a file: URL')
  if (path.trim() === '') throw invalid(path, 'names no file. Give a path')
  if (path.startsWith(':memory:'))
    throw invalid(path, 'names a database in memory, and each of those is its own. Give a path')
  if (isUrl.test(path)) return fromUrl(path)
  refuseNul(path)
  return resolve(path)
}

/** Not `C:\app.duckdb`. */
const isUrl = /^[a-z][a-z0-9+.-]+:/i

/**
 * Follows links, also where the file does not exist yet, so that two ways to write one file are one text. The file is
 * not opened: closing it again would release the lock by which DuckDB keeps other processes out of a file that is open
 * already (https://man7.org/linux/man-pages/man2/fcntl_locking.2.html).
 *
 * @throws {DuckDBOpenError} for what can be seen to be wrong before DuckDB is asked
 */
export function realPath(path: string, readOnly: boolean): string {
  try {
    const real = realpathSync(path)
    const stats = statSync(real)
    if (stats.isDirectory())
      throw new DuckDBOpenError(
        'PATH_IS_DIRECTORY',
        `${path} is a directory, and a database is one file. Give the path of a file in it.`,
      )
    if (!stats.isFile())
      throw new DuckDBOpenError(
        'NOT_A_DATABASE',
        `${path} is a device, a socket or a pipe, and a database is a file. Check the path.`,
      )
    return real
  } catch (error) {
    if (error instanceof DuckDBOpenError) throw error
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw inaccessible(path, error)
  }
  const directory = realDirectory(path)
  const target = linkTarget(path)
  if (target !== undefined) return realPath(resolve(directory, target), readOnly)
  if (readOnly)
    throw new DuckDBOpenError(
      'FILE_MISSING',
      `${path} does not exist, and a read-only database is not created. Check the path, or open it without \`readOnly\` to create it.`,
    )
  return join(directory, basename(path))
}

/** What the file system says about a file that cannot be reached. */
export function inaccessible(path: string, error: unknown): DuckDBOpenError {
  return new DuckDBOpenError(
    'OPEN_FAILED',
    `${path} could not be opened: ${(error as Error).message}. Check the path, and the permissions of the file and its directory.`,
    { cause: error },
  )
}

function realDirectory(path: string): string {
  const directory = dirname(path)
  try {
    return realpathSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw inaccessible(path, error)
    throw new DuckDBOpenError(
      'DIRECTORY_MISSING',
      `${path} cannot be opened: the directory ${directory} does not exist. Create it first.`,
      { cause: error },
    )
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    // Not a link, and nothing else either.
    return undefined
  }
}

function fromUrl(url: string): string {
  if (!/^file:/i.test(url))
    throw invalid(
      url,
      'is no file of this machine. Open it with @duckdb/node-api and pass that as `instance`, or give a path',
    )
  // Read as a URL, `file:app.duckdb` would be /app.duckdb.
  if (!/^file:\/\//i.test(url) || /[?#]/.test(url))
    throw invalid(url, 'is not a path as a URL. Write file:///absolute/path, a path')
  let path: string
  try {
    path = fileURLToPath(url)
  } catch (error) {
    throw invalid(
      url,
      'is no file: URL of this machine. Write file:///absolute/path, a path',
      error,
    )
  }
  refuseNul(path)
  return path
}

function refuseNul(path: string): void {
  if (path.includes('\0'))
    throw invalid(path, 'contains U+0000, where file systems end a name. Give a path')
}

function invalid(path: unknown, why: string, cause?: unknown): DuckDBOpenError {
  return new DuckDBOpenError(
    'PATH_INVALID',
    `${describeValue(path)} ${why}, or ':memory:' for a database in memory.`,
    cause === undefined ? undefined : { cause },
  )
}
