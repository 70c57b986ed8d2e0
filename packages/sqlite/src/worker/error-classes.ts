import * as core from '@keelson/core/base'
import Database from 'better-sqlite3'
import * as own from '../errors.ts'

export type ErrorClass = abstract new (...given: never[]) => Error

/**
 * The classes that errors keep on their way from a thread, by the names that they are exported under: a bundler may have
 * shortened those of the classes, and differently in each of the files that it has made.
 */
export const errorClasses: ReadonlyMap<string, ErrorClass> = new Map<string, ErrorClass>([
  ['SqliteError', Database.SqliteError],
  ['TypeError', TypeError],
  ['RangeError', RangeError],
  ['SyntaxError', SyntaxError],
  ...errorClassesOf(core),
  ...errorClassesOf(own),
])

function errorClassesOf(module: object): [string, ErrorClass][] {
  return (Object.entries(module) as [string, unknown][]).filter(
    (entry): entry is [string, ErrorClass] =>
      typeof entry[1] === 'function' && entry[1].prototype instanceof Error,
  )
}
