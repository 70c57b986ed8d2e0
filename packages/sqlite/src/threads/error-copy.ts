import { KeelsonError } from '@keelson/core'
import { errorClasses } from '../worker/error-classes.ts'
import type { ErrorPayload } from '../worker/protocol.ts'

/**
 * The error that a thread has sent, as if it had been thrown here. Made in the async function that the caller awaits, it
 * has the caller in its stack.
 */
export function errorFrom({ name, message, fields, cause }: ErrorPayload): Error {
  const error =
    cause === undefined ? new Error(message) : new Error(message, { cause: errorFrom(cause) })
  const found = errorClasses.get(name)
  if (found !== undefined) Object.setPrototypeOf(error, found.prototype as object)
  const shown = error instanceof KeelsonError ? found!.name : name
  if (error.stack !== undefined) error.stack = error.stack.replace(/^Error\b/, shown)
  Object.assign(error, fields)
  if (error instanceof KeelsonError) error.name = shown
  return error
}
