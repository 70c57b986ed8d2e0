import { existsSync, realpathSync, statSync } from 'node:fs'
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
export function resolvePath(path: string | URL, directory: string | URL | undefined): string {
  const name = plainPath(path, 'path')
  if (name === ':memory:') {
    if (directory === undefined) return name
    throw new SqliteOpenError(
      'PATH_OUTSIDE_DIRECTORY',
      '`:memory:` is not a file in `directory`. Leave `directory` out for a database in memory.',
    )
  }
  const absolute =
    directory === undefined ? resolve(name) : inside(plainPath(directory, 'directory'), name)
  const kind = statSync(absolute, { throwIfNoEntry: false })
  if (kind?.isDirectory() === true) {
    throw new SqliteOpenError(
      'PATH_IS_DIRECTORY',
      `${absolute} is a directory. Give the path of a database file, for example ${join(absolute, 'app.db')}.`,
    )
  }
  if (!existsSync(dirname(absolute))) {
    throw new SqliteOpenError(
      'DIRECTORY_MISSING',
      `The directory ${dirname(absolute)} does not exist. Create it before opening ${basename(absolute)} in it.`,
    )
  }
  return absolute
}

function plainPath(path: string | URL, option: string): string {
  const invalid = (why: string): never => {
    throw new SqliteOpenError(
      'PATH_INVALID',
      `openSqlite() cannot use ${describeValue(String(path))} as \`${option}\`: ${why}`,
    )
  }
  if (typeof path !== 'string' && !(path instanceof URL))
    return invalid('it takes a string or a file: URL.')
  let name = String(path)
  if (name.startsWith('file:')) {
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
  const stat = statSync(directory, { throwIfNoEntry: false })
  if (stat === undefined || !stat.isDirectory()) {
    throw new SqliteOpenError(
      'DIRECTORY_MISSING',
      `\`directory\` ${resolve(directory)} is not an existing directory. Create it first.`,
    )
  }
  const root = realpathSync(directory)
  const absolute = resolve(root, name)
  // Links are followed as far as the path exists; what does not exist yet cannot be one.
  let existing = absolute
  while (!existsSync(existing)) existing = dirname(existing)
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
