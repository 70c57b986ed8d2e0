import { createTables } from '../sequence/create-tables.ts'
import { type EventTableOptions, eventTableStatements } from '../sequence/event-tables.ts'
import type { AnyDatabase } from './host-of.ts'
import { tableHost } from './table-host.ts'

/**
 * Creates the tables of `appendEvents()` where they are not there yet. Call it in a migration, or when the program starts;
 * several processes may do so at once. `eventTableStatements()` has the same as text.
 *
 * Inside a transaction the tables are a part of it, except on MySQL, which would commit what is open: there it throws.
 *
 * @param db what `drizzle()` has returned, or a transaction
 * @param options what is given to each `appendEvents()`, too
 * @throws {KeelsonError} `TABLE_IN_TRANSACTION` inside a transaction of MySQL; nothing is sent
 *
 * @example
 * await createEventTables(db, { order: 'global' })
 */
export async function createEventTables(
  db: AnyDatabase,
  options: EventTableOptions = {},
): Promise<void> {
  const where = 'createEventTables()'
  const host = tableHost(db, where)
  await createTables(where, host, eventTableStatements(host.traits.engine, options))
}
