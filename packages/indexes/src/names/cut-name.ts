import { createHash } from 'node:crypto'

/** PostgreSQL's limit, in bytes; MySQL takes 64 characters, and the others any length. One limit gives one name everywhere. */
const longest = 63

/** Digits of the hash. With 8, 200,000 definitions had six names in common; with 10 none. */
const hashDigits = 10

/** A name made of readable parts, which are cut where it would be too long, and a hash of all that it stands for. */
export function hashedName(parts: readonly string[], definition: string): string {
  const hash = createHash('sha256').update(definition).digest('hex').slice(0, hashDigits)
  const readable = parts.map(readablePart).filter((part) => part !== '')
  return `${cutToBytes(readable.join('_'), longest - hashDigits - 1)}_${hash}`
}

/** As many whole characters from the start as fit. */
export function cutToBytes(text: string, bytes: number): string {
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
  return part
    .replaceAll(/[^\p{L}\p{N}]+|[\u{10000}-\u{10ffff}]+/gu, '_')
    .replaceAll(/_+/g, '_')
    .replaceAll(/^_|_$/g, '')
}

/** A name that is kept as it is where it fits, and cut with a hash of itself where it does not. */
export function fittingName(name: string, suffix: string): string {
  if (Buffer.byteLength(name + suffix) <= longest) return name + suffix
  const hash = createHash('sha256').update(name).digest('hex').slice(0, hashDigits)
  return `${cutToBytes(name, longest - Buffer.byteLength(suffix) - hashDigits - 1)}~${hash}${suffix}`
}
