import { createTables } from '../sequence/create-tables.ts'
import { type SequenceTableOptions, sequenceTableStatements } from '../sequence/sequence-table.ts'
import type { AnyDatabase } from './host-of.ts'
import { tableHost } from './table-host.ts'

/**
 * Creates the table of `nextSequence()` where it is not there yet. Call it in a migration, or when the program starts;
 * several processes may do so at once. `sequenceTableStatements()` has the same as text.
 *
 * Inside a transaction the table is a part of it, except on MySQL, which would commit what is open: there it throws.
 *
 * @param db what `drizzle()` has returned, or a transaction
 * @throws {KeelsonError} `TABLE_IN_TRANSACTION` inside a transaction of MySQL; nothing is sent
 *
 * @example
 * await createSequenceTable(db)
 */
export async function createSequenceTable(
  db: AnyDatabase,
  options: SequenceTableOptions = {},
): Promise<void> {
  const where = 'createSequenceTable()'
  const host = tableHost(db, where)
  await createTables(where, host, sequenceTableStatements(host.traits.engine, options))
}
