import { createHash } from 'node:crypto'

/** Of what a checksum is: those of different things cannot be compared. */
export type ChecksumKind = 'file' | 'function' | 'given'

/** `file:9f86d0...`; the ends of lines do not count, since Git may change them. */
export function checksumOf(kind: ChecksumKind, text: string): string {
  return `${kind}:${kind === 'given' ? text : sha256(text.replaceAll('\r\n', '\n'))}`
}

/** Whether two checksums are of the same kind of thing. */
export function areComparable(one: string, other: string): boolean {
  return one.slice(0, one.indexOf(':')) === other.slice(0, other.indexOf(':'))
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
