import { hash } from 'node:crypto'

/** PostgreSQL's limit, in bytes; MySQL takes 64 characters, and the others any length. One limit gives one name everywhere. */
const longest = 63

/** Digits of the hash. With 8, 200,000 definitions had six names in common; with 10 none. */
const hashDigits = 10

/** A name made of readable parts, which are cut where it would be too long, and a hash of all that it stands for. */
export function hashedName(parts: readonly string[], definition: string): string {
  const readable = parts.map(readablePart).filter((part) => part !== '')
  return `${cutToBytes(readable.join('_'), longest - hashDigits - 1)}_${digitsOf(definition)}`
}

/** As many whole characters from the start as fit. */
function cutToBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text
  let cut = ''
  let size = 0
  for (const character of text) {
    size += Buffer.byteLength(character)
    if (size > bytes) break
    cut += character
  }
  return cut
}

/** Letters and digits, as far as MySQL takes them in a name. */
function readablePart(part: string): string {
  if (/^[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*$/.test(part)) return part
  return part
    .replaceAll(/[^\p{L}\p{N}]+|[\u{10000}-\u{10ffff}]+/gu, '_')
    .replaceAll(/_+/g, '_')
    .replaceAll(/^_|_$/g, '')
}

/** A name that is kept as it is where it fits, and cut with a hash of itself where it does not. */
export function fittingName(name: string, suffix: string): string {
  if (Buffer.byteLength(name + suffix) <= longest) return name + suffix
  return `${cutToBytes(name, longest - Buffer.byteLength(suffix) - hashDigits - 1)}~${digitsOf(name)}${suffix}`
}

function digitsOf(text: string): string {
  return hash('sha256', text).slice(0, hashDigits)
}
