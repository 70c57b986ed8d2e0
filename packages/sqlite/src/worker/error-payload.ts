import type { ErrorPayload } from './protocol.ts'

/** What is sent of an error. */
export function payloadOf(error: unknown): ErrorPayload {
  if (!(error instanceof Error))
    return { name: 'Error', message: String(error), fields: {}, cause: undefined }
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(error))
    if (name !== 'cause' && isPlain(value)) fields[name] = value
  const { cause } = error
  return {
    name: error.constructor.name,
    message: error.message,
    fields,
    cause: cause === undefined ? undefined : payloadOf(cause),
  }
}

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isPlain)
  return value === null || !/^(object|function|symbol)$/.test(typeof value)
}
