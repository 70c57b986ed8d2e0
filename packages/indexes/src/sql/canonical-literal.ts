import type { EngineName } from '@keelson/core'
import type { Literal } from '../ir/expression.ts'
import type { PortableKind } from '../ir/portable-type.ts'

const numeric: ReadonlySet<PortableKind | undefined> = new Set([
  'int32',
  'integer',
  'bigint',
  'number',
])
const keepsBooleansAsNumbers: ReadonlySet<EngineName> = new Set(['sqlite'])

/**
 * One form for all spellings of a constant that are the same to the engine where it stands beside, or as the DEFAULT of, a
 * column of this kind; of what is no column nothing is known.
 */
export function canonicalLiteral(
  value: Literal,
  kind: PortableKind | undefined,
  engine: EngineName,
): Literal {
  if (value === null) return null
  if (kind === 'boolean') return booleanOf(value)
  if (kind === 'json' && typeof value === 'string') return canonicalJson(value)
  if (kind === 'decimal') return decimalOf(value, engine)
  if (typeof value === 'boolean') {
    return keepsBooleansAsNumbers.has(engine) ? Number(value) : value
  }
  if (typeof value !== 'string') return canonicalNumber(value)
  if (numeric.has(kind)) return numberOf(value)
  if (kind === 'uuid') return engine === 'sqlite' ? value : value.toLowerCase()
  return kind === 'datetime' ? datetimeOf(value) : value
}

/** Whole numbers of up to 64 bits are exact: as a number where one holds them, else as a bigint. */
export function canonicalNumber(value: number | bigint): number | bigint {
  if (typeof value === 'bigint') {
    const isSafe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER
    return isSafe || BigInt.asIntN(64, value) !== value ? Number(value) : value
  }
  if (value === 0) return 0
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value
  const whole = BigInt(value)
  return BigInt.asIntN(64, whole) === whole ? whole : value
}

function booleanOf(value: NonNullable<Literal>): Literal {
  if (value === 1 || value === 1n) return true
  if (value === 0 || value === 0n) return false
  if (value === 'true' || value === 't') return true
  if (value === 'false' || value === 'f') return false
  return value
}

function numberOf(text: string): Literal {
  if (/^-?\d+$/.test(text)) return canonicalNumber(BigInt(text))
  return /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? canonicalNumber(Number(text)) : text
}

function decimalOf(value: NonNullable<Literal>, engine: EngineName): Literal {
  if (typeof value === 'boolean') return value
  const text = String(value)
  // SQLite keeps the text that it is given, and compares texts.
  if (engine === 'sqlite') return text
  const [, sign = '', whole = '', part = ''] = /^(-?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text) ?? []
  if (whole === '' && part === '') return /^-?0*(?:\.0*)?$/.test(text) ? '0' : text
  return `${sign}${whole === '' ? '0' : whole}${part === '' ? '' : `.${part}`}`
}

function datetimeOf(text: string): string {
  // As PostgreSQL writes it: `2026-01-31 12:00:00+00`.
  const iso = text.replace(/^(\d{4}-\d{2}-\d{2}) /, '$1T').replace(/([+-]\d{2})$/, '$1:00')
  if (!/^\d{4}-\d{2}-\d{2}T.*(?:Z|[+-]\d{2}:\d{2})$/.test(iso)) return text
  const moment = new Date(iso)
  return Number.isNaN(moment.getTime()) ? text : moment.toISOString()
}

/** JSON as a text, without blanks and with its keys in order: PostgreSQL keeps them in one of its own. */
function canonicalJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : value,
    )
  } catch {
    return text
  }
}
