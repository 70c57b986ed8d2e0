import type { Insertable, Kysely, Selectable } from 'kysely'
import type { CommonBufferOptions } from '../buffer/buffer-options.ts'
import { openWriteBuffer } from '../buffer/open-write-buffer.ts'
import type { WriteBuffer } from '../buffer/write-buffer.ts'
import type { OnConflict } from './bulk-insert.ts'
import { KyselyHost } from './kysely-host.ts'
import { KyselyTarget } from './kysely-target.ts'

export interface WriteBufferOptions<DB, T extends keyof DB> extends CommonBufferOptions<
  Insertable<DB[T]>,
  keyof Selectable<DB[T]> & string
> {
  /**
   * What becomes of a row whose key is there already, as for `bulkInsert()`.
   * @default 'error'; with an `idempotencyKey` such a row is skipped
   */
  readonly onConflict?: OnConflict<DB, T> | undefined
}

/**
 * Opens a buffer that collects rows and writes them in batches, each in a transaction of its own, in the order in which they
 * were added, and that accounts for every row.
 *
 * A batch is sent when it has `flushRows` or `flushBytes`, when its first row has waited `lingerMs`, or by `flush()`. What
 * fails for a reason that passes is sent again; a row that cannot be inserted is found and left out. Without a `spill` a
 * crash loses the rows that are pending, none of which was acknowledged. See docs/write-buffer.md.
 *
 * @param db a `Kysely`, not a transaction
 * @param table the table, as `insertInto()` takes it
 * @returns the buffer: `add()`, `addMany()`, `ready()`, `flush()`, `close()`, `stats`
 * @throws {OptionError} for options that are unknown or impossible
 * @throws {BufferTransactionError} for a transaction
 * @throws {SpillError} when the spill cannot be opened
 *
 * @example
 * const buffer = createWriteBuffer(db, 'event', { lingerMs: 50 })
 * await Promise.all([buffer.add({ id: 1, body: 'a' }), buffer.add({ id: 2, body: 'b' })])
 * // begin immediate
 * // insert into "event" ("id", "body") values (?, ?), (?, ?)
 * // commit
 * const { accepted, written } = await buffer.close({ deadlineMs: 5_000 })
 */
export function createWriteBuffer<DB, T extends keyof DB & string>(
  db: Kysely<DB>,
  table: T,
  options: WriteBufferOptions<DB, T> = {},
): WriteBuffer<Insertable<DB[T]>> {
  const host = new KyselyHost(db, 'createWriteBuffer()')
  const target = new KyselyTarget(db, table, host.traits.engine === 'mysql')
  return openWriteBuffer(host, target, options)
}
