import type { Place } from './place.ts'

/**
 * The JSON text of a value.
 *
 * @throws {ParameterError} for what JSON has no text for, and JavaScript would leave out or write as something else
 */
export function jsonText(value: unknown, place: Place): string {
  const replace = function (this: Record<string, unknown>, key: string, after: unknown): unknown {
    const before = this[key]
    if (!isWritten(before)) refuseMember(before, key, place)
    return after
  }
  try {
    const text = JSON.stringify(value, replace)
    if (typeof text === 'string') return text
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    place.refuse(
      value,
      `which cannot be written as JSON (${error.message.split('\n')[0]})`,
      'Pass a value without circular references.',
      error,
    )
  }
  return place.refuse(
    value,
    'which JSON has no text for',
    'Pass what JSON.stringify() can write, or null.',
  )
}

function refuseMember(member: unknown, key: string, place: Place): never {
  const inner = key === '' ? place : place.inside(`key ${JSON.stringify(key)}`)
  return inner.refuse(
    member,
    'which JSON has no text for',
    typeof member === 'bigint'
      ? 'Pass it as a string, or as a number where it is small enough.'
      : 'Replace it by what JSON.stringify() writes in full.',
  )
}

/** Whether `JSON.stringify()` writes all of it, its own members aside. */
function isWritten(member: unknown): boolean {
  switch (typeof member) {
    case 'number':
      return Number.isFinite(member)
    case 'bigint':
    case 'function':
    case 'symbol':
      return false
    case 'object':
      return member instanceof Date
        ? !Number.isNaN(member.getTime())
        : !ArrayBuffer.isView(member) && !unwritten.some((type) => member instanceof type)
    default:
      return true
  }
}

/** `JSON.stringify()` makes an empty object of them. */
const unwritten = [Map, Set, WeakMap, WeakSet, ArrayBuffer, RegExp, Error, Promise] as const
