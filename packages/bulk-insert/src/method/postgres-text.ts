/**
 * Values as PostgreSQL reads them from text, so that a whole column of them can be one parameter.
 * https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 */

/** How a driver sends a `Date`: as the clock on the wall here, which node-postgres does, or in UTC. */
export type DateText = 'local' | 'utc'

/** Values as the text of an array of texts. */
export function arrayText(texts: readonly (string | null)[]): string {
  let all = '{'
  let separator = ''
  for (const text of texts) {
    all += separator + (text === null ? 'NULL' : quoted(text))
    separator = ','
  }
  return `${all}}`
}

/**
 * A value as COPY reads it, in a line for each row with tabs between the values.
 * https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
 */
export function copyValue(text: string | null): string {
  if (text === null) return '\\N'
  return needsCopyEscape.test(text) ? copyEscaped(text) : text
}

const needsCopyEscape = /[\\\t\n\r]/
const copyEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
}

function copyEscaped(text: string): string {
  return text.replaceAll(/[\\\t\n\r]/g, (character) => copyEscapes[character]!)
}

/**
 * The text of a value.
 *
 * @param isJson whether the column holds JSON, where an array is not one of PostgreSQL's
 * @throws {TypeError} for a value that PostgreSQL has no text for
 */
export function valueText(value: unknown, isJson: boolean, dates: DateText): string | null {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'undefined':
      return null
    case 'object':
      return value === null ? null : objectText(value, isJson, dates)
    default:
      throw new TypeError(`PostgreSQL has no type for a ${typeof value}.`)
  }
}

interface SelfDescribing {
  readonly toPostgres?: (prepare: (value: unknown) => unknown) => unknown
}

function objectText(value: object, isJson: boolean, dates: DateText): string | null {
  if (ArrayBuffer.isView(value))
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
  if (value instanceof Date) return dateText(value, dates)
  if (isJson) return JSON.stringify(value)
  if (Array.isArray(value)) return nestedArrayText(value, dates)
  const own = value as SelfDescribing
  // As node-postgres does: https://node-postgres.com/features/queries
  if (typeof own.toPostgres === 'function')
    return valueText(
      own.toPostgres((inner) => inner),
      false,
      dates,
    )
  return JSON.stringify(value)
}

function nestedArrayText(values: readonly unknown[], dates: DateText): string {
  const parts = values.map((value) => {
    if (value === null || value === undefined) return 'NULL'
    return Array.isArray(value)
      ? nestedArrayText(value, dates)
      : quoted(valueText(value, false, dates)!)
  })
  return `{${parts.join(',')}}`
}

function dateText(value: Date, dates: DateText): string {
  if (Number.isNaN(value.getTime())) throw new TypeError('The Date is invalid.')
  if (dates === 'utc') return isoText(value.toISOString())
  const offset = -value.getTimezoneOffset()
  const local = new Date(value.getTime() + offset * 60_000).toISOString().slice(0, -1)
  const minutes = Math.abs(offset)
  const pad = (part: number): string => String(part).padStart(2, '0')
  return isoText(
    `${local}${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`,
  )
}

/** JavaScript writes years beyond four digits with a sign, which PostgreSQL does not read, and those before Christ below 1. */
function isoText(iso: string): string {
  const [, sign, year, rest] = /^([+-])(\d{6})(.*)$/.exec(iso) ?? []
  if (year === undefined) {
    return iso.startsWith('0000') ? `0001${iso.slice(4)} BC` : iso
  }
  if (sign === '+') return `${Number(year)}${rest}`
  return `${String(Number(year) + 1).padStart(4, '0')}${rest} BC`
}

function quoted(text: string): string {
  return needsEscape.test(text) ? `"${text.replace(escaped, '\\$&')}"` : `"${text}"`
}

const needsEscape = /["\\]/
const escaped = /["\\]/g
