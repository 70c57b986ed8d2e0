import type { InferInsertModel, InferSelectModel, Table } from 'drizzle-orm'
import type { CommonBufferOptions } from '../buffer/buffer-options.ts'
import { openWriteBuffer } from '../buffer/open-write-buffer.ts'
import type { WriteBuffer } from '../buffer/write-buffer.ts'
import type { OnConflict } from './bulk-insert.ts'
import { DrizzleTarget } from './drizzle-target.ts'
import { type AnyDatabase, hostOf } from './host-of.ts'

export interface WriteBufferOptions<T extends Table> extends CommonBufferOptions<
  InferInsertModel<T>,
  keyof InferSelectModel<T> & string
> {
  /**
   * What becomes of a row whose key is there already, as for `bulkInsert()`.
   * @default 'error'; with an `idempotencyKey` such a row is skipped
   */
  readonly onConflict?: OnConflict<T> | undefined
}

/**
 * Opens a buffer that collects rows and writes them in batches, each in a transaction of its own, in the order in which they
 * were added, and that accounts for every row.
 *
 * A batch is sent when it has `flushRows` or `flushBytes`, when its first row has waited `lingerMs`, or by `flush()`. What
 * fails for a reason that passes is sent again; a row that cannot be inserted is found and left out. Without a `spill` a
 * crash loses the rows that are pending, none of which was acknowledged. See docs/write-buffer.md.
 *
 * @param db what `drizzle()` has returned, not a transaction
 * @param table the table
 * @returns the buffer: `add()`, `addMany()`, `ready()`, `flush()`, `close()`, `stats`
 * @throws {OptionError} for options that are unknown or impossible
 * @throws {BufferTransactionError} for a transaction
 * @throws {SpillError} when the spill cannot be opened
 *
 * @example
 * const buffer = createWriteBuffer(db, events, { lingerMs: 50 })
 * await Promise.all([buffer.add({ id: 1, body: 'a' }), buffer.add({ id: 2, body: 'b' })])
 * // begin immediate
 * // insert into "event" ("id", "body") values (?, ?), (?, ?)
 * // commit
 * const { accepted, written } = await buffer.close({ deadlineMs: 5_000 })
 */
export function createWriteBuffer<T extends Table>(
  db: AnyDatabase,
  table: T,
  options: WriteBufferOptions<T> = {},
): WriteBuffer<InferInsertModel<T>> {
  const host = hostOf(db, 'createWriteBuffer()')
  const target = new DrizzleTarget(table, host.dialect, host.traits.engine)
  return openWriteBuffer(host, target, options)
}
