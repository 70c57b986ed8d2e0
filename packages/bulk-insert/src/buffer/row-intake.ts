import { describeValue } from '@keelson/core'
import { RowError } from '../errors.ts'
import type { BufferSettings } from './buffer-options.ts'
import { type Entry, newEntry, type Ticket } from './entry.ts'
import { BufferFullError } from './errors.ts'
import { rowBytes } from './row-bytes.ts'
import { encodePayload } from './spill/payload.ts'

/**
 * Makes an entry of what was given to `add()`.
 *
 * @throws {RowError} for what is no row, has no idempotencyKey, or could not be read back from the spill
 * @throws {BufferFullError} for a row that is larger than the whole buffer
 */
export function takeRow(
  row: unknown,
  { idempotencyKey, maxBytes, spill }: BufferSettings,
  ticket: Ticket,
  index: number,
): Entry {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw new RowError(
      'NOT_A_ROW',
      `The row is ${describeValue(row)}. A row is an object whose keys are columns.`,
    )
  }
  for (const key of idempotencyKey ?? []) checkKey(row, key)
  // Whoever fills one object again and again has added as many rows.
  const copy = { ...row }
  const payload = spill === undefined ? undefined : encodePayload(copy)
  const bytes = rowBytes(copy) + (payload?.length ?? 0)
  if (bytes <= maxBytes) return newEntry(copy, bytes, payload, ticket, index)
  throw new BufferFullError(
    `add() cannot take a row of about ${bytes} bytes: the buffer holds no more than ${maxBytes} (maxBytes). ` +
      'Insert it by itself, or allow more.',
  )
}

function checkKey(row: object, key: string): void {
  const value = (row as Readonly<Record<string, unknown>>)[key]
  if (value !== undefined && value !== null) return
  throw new RowError(
    'MISSING_COLUMN',
    `The row has no ${JSON.stringify(key)}, which is its idempotencyKey: without it nobody could tell whether the row is in ` +
      'the table already. Give it one before it is added.',
    key,
  )
}
