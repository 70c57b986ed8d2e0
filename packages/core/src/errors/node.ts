import type { ErrorCategory, ErrorDescription } from './error-description.ts'
import { textField } from './error-field.ts'

const codes: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['EAI_AGAIN', 'connection'],
  ['ECONNABORTED', 'connection'],
  ['ECONNREFUSED', 'connection'],
  ['ECONNRESET', 'connection'],
  ['EHOSTUNREACH', 'connection'],
  ['ENETUNREACH', 'connection'],
  ['ENOTFOUND', 'connection'],
  ['EPIPE', 'connection'],
  ['ETIMEDOUT', 'connection'],
  ['EACCES', 'permission'],
  ['EPERM', 'permission'],
  ['EROFS', 'readOnly'],
  ['ENOENT', 'missingObject'],
  ['EDQUOT', 'resource'],
  ['EMFILE', 'resource'],
  ['ENFILE', 'resource'],
  ['ENOSPC', 'resource'],
  ['ABORT_ERR', 'cancelled'],
])

// A DOMException's `code` is a number that the web platform has given up; its name is what tells.
const names: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['AbortError', 'cancelled'],
  ['TimeoutError', 'timeout'],
])

/**
 * Describes what Node itself reports to a client of a database: the network, the file system, an AbortSignal. No
 * engine is named, since any could be behind it.
 */
export function describeNodeError(error: object): ErrorDescription | undefined {
  const code = textField(error, 'code')
  const name = textField(error, 'name')
  const category =
    (code === undefined ? undefined : codes.get(code)) ??
    (name === undefined ? undefined : names.get(name))
  if (category === undefined) return undefined
  return {
    engine: undefined,
    category,
    code: code ?? name,
    retryable: false,
    transactionFate: 'unknown',
    message: textField(error, 'message') ?? '',
  }
}
