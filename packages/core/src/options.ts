import { OptionError } from './errors/keelson-error.ts'

/**
 * Refuses options that nobody reads, so that a misspelled name never silently means "default".
 *
 * @param where what the options belong to, as the user wrote it: `openSqlite()`
 * @param options the object the user passed
 * @param known every name that is understood
 * @throws {OptionError} `UNKNOWN_OPTION`, with the nearest known name when there is one
 */
export function checkOptionNames(where: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const near = nearestName(name, known)
    const advice =
      near === undefined ? `Known options: ${known.join(', ')}.` : `Did you mean \`${near}\`?`
    throw new OptionError('UNKNOWN_OPTION', name, `${where} has no option \`${name}\`. ${advice}`)
  }
}

/** Throws the `INVALID_OPTION` error that every package words alike. */
export function invalidOption(
  where: string,
  option: string,
  value: unknown,
  expected: string,
): never {
  throw new OptionError(
    'INVALID_OPTION',
    option,
    `${where} cannot use ${describeValue(value)} as \`${option}\`. It takes ${expected}.`,
  )
}

/** A value as an error message shows it: short, quoted where it is text, never a whole object. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return `a function${value.name && ` (${value.name})`}`
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'an invalid Date' : `a Date (${value.toISOString()})`
  const name = Object.getPrototypeOf(value)?.constructor?.name
  return name === undefined || name === 'Object' ? 'an object' : `a ${name}`
}

function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
