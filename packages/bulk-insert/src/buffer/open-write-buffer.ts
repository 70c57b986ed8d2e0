import type { Host } from '../host/host.ts'
import type { Target } from '../host/target.ts'
import { bufferSettings } from './buffer-options.ts'
import { BufferTransactionError } from './errors.ts'
import { RowBuffer } from './row-buffer.ts'
import { Spill } from './spill/spill.ts'
import type { WriteBuffer } from './write-buffer.ts'

/**
 * Opens a write buffer on the table of any ORM.
 *
 * @throws {OptionError} for options that are unknown or impossible
 * @throws {BufferTransactionError} for the handle of a transaction
 * @throws {SpillError} when the spill cannot be opened
 */
export function openWriteBuffer(host: Host, target: Target, options: object): WriteBuffer<any> {
  const settings = bufferSettings(options)
  settings.signal?.throwIfAborted()
  const isHandle =
    host.ambient === undefined
      ? host.isInTransaction
      : host.ambient.leave(() => host.isInTransaction)
  if (isHandle) {
    throw new BufferTransactionError(
      'createWriteBuffer() cannot write through the handle of a transaction: the buffer would outlive it, and whether it is ' +
        'committed cannot be seen. Make the buffer of the database itself. To have rows wait for the commit of the ' +
        'transaction that they are added in, wrap the database with withTransactions() of @keelson/transactions.',
    )
  }
  const spill = settings.spill && Spill.open(settings.spill.path, settings.spill.fsync)
  return new RowBuffer(host, target, settings, spill)
}
