import type { TableState } from './engine/engine.ts'
import { MigrationRefusedError } from './errors.ts'
import { namesIn } from './sql-text.ts'

/**
 * Refuses what took rows from a table that the statements do not name, as `ON DELETE CASCADE` does when a table is rebuilt
 * by dropping it: https://github.com/drizzle-team/drizzle-orm/issues/4938
 *
 * @param allowed all tables, or the names of some
 * @throws {MigrationRefusedError} `MIGRATION_DATA_LOSS`
 */
export function refuseRowLoss(
  migration: string,
  before: readonly TableState[],
  after: readonly TableState[],
  sent: readonly string[],
  allowed: boolean | readonly string[],
): void {
  if (allowed === true) return
  const names = namesIn(sent)
  const passes = new Set(allowed === false ? [] : allowed)
  const now = new Map(after.map((state) => [state.id, state]))
  const lost = before.flatMap((old) => {
    const isNamed = [old.name, ...old.parents].some((name) => names.has(name.toLowerCase()))
    if (isNamed || passes.has(old.name)) return []
    const found = now.get(old.id)
    if (found === undefined) return [`the table "${old.name}"`]
    if (found.rows < old.rows) return [`${old.rows - found.rows} rows of "${old.name}"`]
    const wasEmptied =
      found.storage !== old.storage && found.isEmpty === true && old.isEmpty === false
    return wasEmptied ? [`all rows of "${old.name}"`] : []
  })
  if (lost.length === 0) return
  throw new MigrationRefusedError(
    'MIGRATION_DATA_LOSS',
    `Migration "${migration}" would have taken ${lost.join(', ')}, though its SQL does not name ` +
      `${lost.length === 1 ? 'that table' : 'those tables'}: a foreign key with ON DELETE CASCADE or a trigger does so. ` +
      'It was rolled back. Delete them by name where that is meant, or pass `allowDataLoss` with the names of the tables.',
    [migration],
  )
}
