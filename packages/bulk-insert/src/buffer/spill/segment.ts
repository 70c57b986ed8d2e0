import { crc32 } from 'node:zlib'

/**
 * A segment of the spill: a header, then records, one after the other.
 *
 * length of the payload (4 bytes) | CRC-32 of what follows (4) | sequence (8) | payload
 *
 * all little-endian. The payload is the JSON of a row, or `C` for a checkpoint: the rows up to its sequence are decided.
 */
export const segmentHeader: Buffer = Buffer.from('KEELSON SPILL 1\n')

const prefixBytes = 16
const checkpointPayload = 'C'

export interface SegmentScan {
  readonly rows: readonly { readonly sequence: number; readonly payload: string }[]
  /** Rows up to this one are decided. */
  readonly checkpoint: number
  /** The largest number in it, of a row or a checkpoint. */
  readonly lastSequence: number
  /** Where the last whole record ends. */
  readonly goodBytes: number
  /** Whether something comes after it that cannot be what a crash has left: another whole record. */
  readonly isDamaged: boolean
}

export function rowRecord(sequence: number, payload: string): Buffer {
  const bytes = Buffer.byteLength(payload)
  const record = Buffer.allocUnsafe(prefixBytes + bytes)
  record.write(payload, prefixBytes)
  return sealed(record, bytes, sequence)
}

export function checkpointRecord(sequence: number): Buffer {
  const record = Buffer.allocUnsafe(prefixBytes + 1)
  record.write(checkpointPayload, prefixBytes)
  return sealed(record, 1, sequence)
}

/** Reads a segment as far as it can be trusted. */
export function scanSegment(bytes: Buffer): SegmentScan {
  const rows: { sequence: number; payload: string }[] = []
  let checkpoint = 0
  let lastSequence = 0
  const header = bytes.subarray(0, segmentHeader.length)
  if (!header.equals(segmentHeader)) {
    return { rows, checkpoint, lastSequence, goodBytes: 0, isDamaged: !isTornHeader(bytes) }
  }
  let at = segmentHeader.length
  for (;;) {
    const record = recordAt(bytes, at)
    if (record === undefined) break
    const { sequence, payload, end } = record
    if (payload === checkpointPayload) checkpoint = Math.max(checkpoint, sequence)
    else rows.push({ sequence, payload })
    lastSequence = Math.max(lastSequence, sequence)
    at = end
  }
  return { rows, checkpoint, lastSequence, goodBytes: at, isDamaged: hasRecordAfter(bytes, at) }
}

function recordAt(
  bytes: Buffer,
  at: number,
): { readonly sequence: number; readonly payload: string; readonly end: number } | undefined {
  const start = at + prefixBytes
  if (start > bytes.length) return undefined
  const length = bytes.readUInt32LE(at)
  const end = start + length
  // Space that a file system has reserved and not written is zeros.
  if (length === 0 || end > bytes.length) return undefined
  if (crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32LE(at + 4)) return undefined
  const sequence = Number(bytes.readBigUInt64LE(at + 8))
  return { sequence, payload: bytes.toString('utf8', start, end), end }
}

/** Whether a crash came while the segment was made: a part of the header, and zeros at most. */
function isTornHeader(bytes: Buffer): boolean {
  let at = 0
  while (at < bytes.length && bytes[at] === segmentHeader[at]) at++
  return bytes.subarray(at).every((byte) => byte === 0)
}

function hasRecordAfter(bytes: Buffer, bad: number): boolean {
  for (let at = bad + 1; at + prefixBytes < bytes.length; at++)
    if (recordAt(bytes, at) !== undefined) return true
  return false
}

function sealed(record: Buffer, length: number, sequence: number): Buffer {
  record.writeUInt32LE(length, 0)
  record.writeBigUInt64LE(BigInt(sequence), 8)
  record.writeUInt32LE(crc32(record.subarray(8)), 4)
  return record
}
