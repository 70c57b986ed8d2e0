import { type EngineName, OptionError } from '@keelson/core'
import type { Target } from '../host/target.ts'
import type { BulkOptions } from '../options.ts'
import type { TableInfo } from '../shape/table-info.ts'

/**
 * Checks the columns that the options name.
 *
 * @throws {OptionError} for one that the table does not have, and for a conflict target that MySQL cannot be told of
 */
export function checkKeys(
  target: Target,
  table: TableInfo,
  { conflict, returning }: BulkOptions,
  engine: EngineName,
): void {
  const named: [string, readonly string[]][] = [
    ['onConflict.target', conflict?.target ?? []],
    ['onConflict.update', Array.isArray(conflict?.update) ? conflict.update : []],
    ['returning', returning ?? []],
  ]
  for (const [option, keys] of named) {
    const names = target.columnNames(keys)
    for (const [at, key] of keys.entries()) {
      const name = names[at]
      if (name !== undefined && table.column(name) !== undefined) continue
      throw new OptionError(
        'INVALID_OPTION',
        option,
        `bulkInsert(): \`${option}\` names ${JSON.stringify(key)}, and ${JSON.stringify(target.table)} has no such column. ` +
          `It has: ${[...table.columns.keys()].map((each) => target.keyOf(each) ?? each).join(', ')}. Nothing was written.`,
      )
    }
  }
  if (engine === 'mysql' && conflict?.target !== undefined)
    refuseOtherKeys(target, table, conflict.target)
}

/** MySQL cannot be told of a key: a row that is there by any other would be taken for the same. */
function refuseOtherKeys(target: Target, table: TableInfo, keys: readonly string[]): void {
  const { uniqueKeys } = table
  const names = columnsOf(target, table, keys).toSorted()
  const others = uniqueKeys.filter((key) => key.toSorted().join('\0') !== names.join('\0'))
  if (others.length === 0 && uniqueKeys.length > 0) return
  const why =
    uniqueKeys.length === others.length
      ? `there is no unique key on (${names.join(', ')})`
      : `MySQL cannot tell it from the other unique keys: ${others.map((key) => `(${key.join(', ')})`).join(', ')}`
  throw new OptionError(
    'INVALID_OPTION',
    'onConflict.target',
    `bulkInsert(): \`onConflict.target\` cannot be (${names.join(', ')}): ${why}. Nothing was written.`,
  )
}

/** What the database calls the columns that options name, which are checked. */
export function columnsOf(target: Target, table: TableInfo, keys: readonly string[]): string[] {
  return target.columnNames(keys).map((name) => table.column(name!)!.name)
}
