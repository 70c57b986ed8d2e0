import { existsSync, lstatSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeValue } from '@keelson/core'
import { SqliteOpenError } from './errors.ts'

/**
 * The absolute path to open, or `':memory:'`. Refuses what SQLite or better-sqlite3 would quietly read as another
 * file: a NUL (they stop there), surrounding white space (it is cut off), a `file:` string (it is a literal name).
 *
 * @throws {SqliteOpenError} `PATH_INVALID`, `PATH_OUTSIDE_DIRECTORY`, `PATH_IS_DIRECTORY`, `DIRECTORY_MISSING`
 */
export function resolvePath(
  path: string | URL,
  directory: string | URL | undefined,
  where = 'openSqlite()',
): string {
  const name = plainPath(path, 'path', where)
  if (name === ':memory:') {
    if (directory === undefined) return name
    throw new SqliteOpenError(
      'PATH_OUTSIDE_DIRECTORY',
      '`:memory:` is not a file in `directory`. Leave `directory` out for a database in memory.',
    )
  }
  const absolute =
    directory === undefined ? resolve(name) : inside(plainPath(directory, 'directory', where), name)
  if (isDirectory(absolute)) {
    throw new SqliteOpenError(
      'PATH_IS_DIRECTORY',
      `${absolute} is a directory. Give the path of a database file, for example ${join(absolute, 'app.db')}.`,
    )
  }
  if (!isDirectory(dirname(absolute))) {
    throw new SqliteOpenError(
      'DIRECTORY_MISSING',
      `${dirname(absolute)} is not an existing directory. Create it before opening ${basename(absolute)} in it.`,
    )
  }
  return absolute
}

/** @throws {SqliteOpenError} for a name that no file can have: too long, or links that lead in a circle */
function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch (error) {
    // A part of the way is a file.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false
    throw new SqliteOpenError(
      'OPEN_FAILED',
      `${path} cannot be looked up: ${(error as Error).message}. Check each part of the path.`,
      { cause: error },
    )
  }
}

function plainPath(path: string | URL, option: string, where: string): string {
  const invalid = (why: string): never => {
    throw new SqliteOpenError(
      'PATH_INVALID',
      `${where} cannot use ${describeValue(String(path))} as \`${option}\`: ${why}`,
    )
  }
  if (typeof path !== 'string' && !(path instanceof URL))
    return invalid('it takes a string or a file: URL.')
  let name = String(path)
  if (name.startsWith('file:')) {
    // Read as a URL, `file:app.db` would be /app.db.
    if (!name.startsWith('file://'))
      return invalid('a file: URL is absolute. Write file:///absolute/path, or a plain path.')
    if (/[?#]/.test(name))
      return invalid(
        'a file: URL with parameters is not read by SQLite here. Use the options instead.',
      )
    try {
      name = fileURLToPath(name)
    } catch (error) {
      throw new SqliteOpenError(
        'PATH_INVALID',
        `${describeValue(String(path))} is no file: URL of this machine. Write file:///absolute/path, or a plain path.`,
        { cause: error },
      )
    }
  } else if (path instanceof URL) return invalid('only file: URLs name a file.')
  if (name.includes('\0'))
    return invalid(
      'it contains a NUL character, behind which the operating system does not read on.',
    )
  if (name.trim() === '') return invalid("it is empty. Write ':memory:' for a database in memory.")
  if (name !== name.trim())
    return invalid(
      'it begins or ends with white space, which better-sqlite3 would cut off. Remove it.',
    )
  return name
}

function inside(directory: string, name: string): string {
  if (!isDirectory(directory)) {
    throw new SqliteOpenError(
      'DIRECTORY_MISSING',
      `\`directory\` ${resolve(directory)} is not an existing directory. Create it first.`,
    )
  }
  const root = realpathSync(directory)
  const absolute = resolve(root, name)
  // Links are followed as far as the path exists.
  let existing = absolute
  while (!existsSync(existing)) {
    // SQLite would create the file that it names, wherever that is.
    if (isLink(existing)) {
      throw new SqliteOpenError(
        'PATH_OUTSIDE_DIRECTORY',
        `${describeValue(name)} leads over the symbolic link ${existing}, which leads nowhere, so nothing tells whether it stays in \`directory\` ${root}. Remove the link, or create what it names.`,
      )
    }
    existing = dirname(existing)
  }
  const real = join(realpathSync(existing), relative(existing, absolute))
  const way = relative(root, real)
  if (way === '' || way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) {
    throw new SqliteOpenError(
      'PATH_OUTSIDE_DIRECTORY',
      `${describeValue(name)} leads to ${real}, outside of \`directory\` ${root}. Give a path within it.`,
    )
  }
  return real
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    return false
  }
}
