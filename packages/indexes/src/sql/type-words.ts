import type { DecimalType, PortableType, ScalarType } from '../ir/portable-type.ts'

/**
 * A type in words: the name of the constraint that enforces it on an engine whose own types do not tell it, so that
 * the engine's error says what the column takes: `CHECK constraint failed: tags: array of string`.
 */
export function typeWords(type: PortableType): string {
  if (type.kind === 'enum') return 'enum'
  return type.kind === 'array' ? `array of ${scalarWords(type.of)}` : scalarWords(type)
}

/** The same in fewer bytes, of which a name has 63: the values of an enum in an array are in the condition itself. */
export function shortTypeWords(type: PortableType): string {
  return type.kind === 'array' && type.of.kind === 'enum' ? 'array of enum' : typeWords(type)
}

function scalarWords(type: ScalarType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`
    case 'enum':
      return `enum ${JSON.stringify(type.values)}`
    case 'string':
      return type.maxLength === undefined ? 'string' : `at most ${type.maxLength} characters`
    default:
      return type.kind
  }
}

/** Reads what `typeWords` has written; of an enum its values are known by its constraint alone. */
export function readTypeWords(words: string): PortableType | 'enum' | undefined {
  if (words === 'enum') return 'enum'
  if (!words.startsWith('array of ')) return readScalarWords(words)
  const of = readScalarWords(words.slice('array of '.length))
  return of === undefined ? undefined : { kind: 'array', of }
}

const plain: readonly string[] = [
  'int32',
  'integer',
  'bigint',
  'number',
  'boolean',
  'date',
  'datetime',
  'uuid',
  'json',
  'blob',
  'string',
]

function readScalarWords(words: string): ScalarType | undefined {
  if (plain.includes(words)) return { kind: words } as ScalarType
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(words)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  const characters = /^at most (\d+) characters$/.exec(words)
  if (characters) return { kind: 'string', maxLength: Number(characters[1]) }
  return words.startsWith('enum ') ? readEnum(words.slice('enum '.length)) : undefined
}

function readEnum(json: string): ScalarType | undefined {
  try {
    const values: unknown = JSON.parse(json)
    const isEnum = Array.isArray(values) && values.every((value) => typeof value === 'string')
    return isEnum ? { kind: 'enum', values } : undefined
  } catch {
    return undefined
  }
}

/** What DECIMAL(p,s) of an engine is. */
export function decimalOf(precision: string | undefined, scale: string | undefined): DecimalType {
  return { kind: 'decimal', precision: Number(precision ?? 18), scale: Number(scale ?? 0) }
}
