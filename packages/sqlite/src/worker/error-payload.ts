import { describeValue } from '@keelson/core/base'
import { errorClasses } from './error-classes.ts'
import type { ErrorPayload } from './protocol.ts'

/** So many causes of causes are sent: an error may be its own. */
const mostCauses = 16

const names = new Map<unknown, string>(Array.from(errorClasses, ([name, each]) => [each, name]))

/** What is sent of an error. */
export function payloadOf(error: unknown, causes: number = mostCauses): ErrorPayload {
  if (!(error instanceof Error)) {
    const message = typeof error === 'string' ? error : describeValue(error)
    return { name: 'Error', message, fields: {}, cause: undefined }
  }
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(error))
    if (name !== 'cause' && isPlain(value)) fields[name] = value
  const { cause } = error
  return {
    name: names.get(error.constructor) ?? error.constructor.name,
    message: error.message,
    fields,
    cause: cause === undefined || causes === 0 ? undefined : payloadOf(cause, causes - 1),
  }
}

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isPlain)
  return value === null || !/^(object|function|symbol)$/.test(typeof value)
}
