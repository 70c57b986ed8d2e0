import * as core from '@keelson/core'
import Database from 'better-sqlite3'
import * as own from '../errors.ts'
import type { ErrorPayload } from '../worker/protocol.ts'

type ErrorClass = abstract new (...given: never[]) => Error

const classes = new Map<string, ErrorClass>(
  [
    Database.SqliteError,
    TypeError,
    RangeError,
    SyntaxError,
    ...errorClassesOf(core),
    ...errorClassesOf(own),
  ].map((each) => [each.name, each]),
)

function errorClassesOf(module: object): ErrorClass[] {
  return (Object.values(module) as unknown[]).filter(
    (each): each is ErrorClass => typeof each === 'function' && each.prototype instanceof Error,
  )
}

/**
 * The error that a thread has sent, as if it had been thrown here. Made in the async function that the caller awaits, it
 * has the caller in its stack.
 */
export function errorFrom({ name, message, fields, cause }: ErrorPayload): Error {
  const error =
    cause === undefined ? new Error(message) : new Error(message, { cause: errorFrom(cause) })
  const found = classes.get(name)
  if (found !== undefined) Object.setPrototypeOf(error, found.prototype as object)
  if (error.stack !== undefined) error.stack = error.stack.replace(/^Error\b/, name)
  return Object.assign(error, fields)
}
