import { invalidOption, quoteIdentifier } from '@keelson/core/base'
import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import type { ForeignKeyViolation, OrphanCount } from './maintenance.ts'

/** The rows that SQLite itself finds to have no parent. */
export function foreignKeyViolations(database: BetterSqlite3Database): ForeignKeyViolation[] {
  const rows = database.prepare('pragma foreign_key_check').safeIntegers().all() as {
    table: string
    rowid: bigint | null
    parent: string
    fkid: bigint
  }[]
  return rows.map(({ table, rowid, parent, fkid }) => ({
    table,
    rowid: rowid ?? undefined,
    parent,
    foreignKey: Number(fkid),
  }))
}

export function countOrphans(violations: readonly ForeignKeyViolation[]): OrphanCount[] {
  const counts = new Map<string, OrphanCount>()
  const seen = new Set<string>()
  for (const { table, rowid, parent } of violations) {
    const key = JSON.stringify([table, parent])
    // A row that lacks two parents of one table is still one row.
    if (rowid !== undefined) {
      const row = `${rowid} ${key}`
      if (seen.has(row)) continue
      seen.add(row)
    }
    counts.set(key, { table, parent, rows: (counts.get(key)?.rows ?? 0) + 1 })
  }
  return [...counts.values()]
}

/** Deletes them in one transaction; call only while nobody else writes on the connection. */
export function deleteOrphans(
  database: BetterSqlite3Database,
  tables: readonly string[] | 'all',
): OrphanCount[] {
  checkTables(database, tables)
  const deleted: OrphanCount[] = []
  database.prepare('begin immediate').run()
  try {
    // Deleting a row may leave rows that referred to it without their parent, where enforcement is off.
    for (
      let orphans = wanted(database, tables);
      orphans.length > 0;
      orphans = wanted(database, tables)
    ) {
      const before = deleted.length
      for (const { table, parent, foreignKey, rows } of byForeignKey(orphans)) {
        const count = deleteFrom(database, table, foreignKey, rows)
        if (count > 0) deleted.push({ table, parent, rows: count })
      }
      if (deleted.length === before) break
    }
    database.prepare('commit').run()
  } catch (error) {
    if (database.inTransaction) database.prepare('rollback').run()
    throw error
  }
  return sum(deleted)
}

/** A name that is misspelled must not pass for a table without orphans, nor a string for a list of names. */
function checkTables(database: BetterSqlite3Database, tables: unknown): void {
  if (tables === 'all') return
  if (!Array.isArray(tables))
    invalidOption('deleteOrphans()', 'tables', tables, "an array of table names, or 'all'")
  const known = database
    .prepare("select name from pragma_table_list where schema = 'main' and type <> 'view'")
    .all() as { name: string }[]
  for (const table of tables as unknown[]) {
    if (!known.some(({ name }) => name === table))
      invalidOption(
        'deleteOrphans()',
        'tables',
        table,
        'names of tables of this database, as declared',
      )
  }
}

function wanted(
  database: BetterSqlite3Database,
  tables: readonly string[] | 'all',
): ForeignKeyViolation[] {
  return foreignKeyViolations(database).filter(
    ({ table }) => tables === 'all' || tables.includes(table),
  )
}

interface OrphansOfKey {
  readonly table: string
  readonly parent: string
  readonly foreignKey: number
  readonly rows: ForeignKeyViolation[]
}

function byForeignKey(violations: readonly ForeignKeyViolation[]): OrphansOfKey[] {
  const groups = new Map<string, OrphansOfKey>()
  for (const violation of violations) {
    const { table, parent, foreignKey } = violation
    const key = JSON.stringify([table, foreignKey])
    let group = groups.get(key)
    if (group === undefined) groups.set(key, (group = { table, parent, foreignKey, rows: [] }))
    group.rows.push(violation)
  }
  return [...groups.values()]
}

function deleteFrom(
  database: BetterSqlite3Database,
  table: string,
  foreignKey: number,
  rows: readonly ForeignKeyViolation[],
): number {
  const name = quoteIdentifier(table, 'sqlite')
  const rowidAlias = rowidName(database, table)
  if (rows[0]!.rowid === undefined || rowidAlias === undefined)
    return deleteByForeignKey(database, table, foreignKey)
  const remove = database.prepare(`delete from ${name} where ${rowidAlias} = ?`)
  let count = 0
  for (const { rowid } of rows) count += remove.run(rowid).changes
  return count
}

/** Rows that have no rowid, or none that SQL can name, are found by the foreign key itself. */
function deleteByForeignKey(
  database: BetterSqlite3Database,
  table: string,
  foreignKey: number,
): number {
  const keys = database
    .prepare(
      'select "table", "from", "to" from pragma_foreign_key_list(?) where id = ? order by seq',
    )
    .all(table, foreignKey) as {
    table: string
    from: string
    to: string | null
  }[]
  const parent = keys[0]!.table
  const primaryKey = database
    .prepare('select name from pragma_table_info(?) where pk > 0 order by pk')
    .all(parent) as { name: string }[]
  const child = quoteIdentifier(table, 'sqlite')
  const set = keys.map(({ from }) => `${child}.${quoteIdentifier(from, 'sqlite')} is not null`)
  const remove = `delete from ${child} where ${set.join(' and ')}`
  if (columnNames(database, parent).length === 0) return database.prepare(remove).run().changes
  const matches = keys.map(({ from, to }, index) => {
    const target = quoteIdentifier(to ?? primaryKey[index]!.name, 'sqlite')
    return `keelson_parent.${target} = ${child}.${quoteIdentifier(from, 'sqlite')}`
  })
  const exists = `exists (select 1 from ${quoteIdentifier(parent, 'sqlite')} as keelson_parent where ${matches.join(' and ')})`
  return database.prepare(`${remove} and not ${exists}`).run().changes
}

/** A column may bear one of the names under which SQLite offers the rowid; undefined when columns bear all. */
function rowidName(database: BetterSqlite3Database, table: string): string | undefined {
  const columns = columnNames(database, table)
  return ['rowid', '_rowid_', 'oid'].find((name) => !columns.includes(name))
}

/** In lower case; none for a table that does not exist. */
function columnNames(database: BetterSqlite3Database, table: string): string[] {
  const columns = database
    .prepare('select lower(name) as name from pragma_table_xinfo(?)')
    .all(table) as { name: string }[]
  return columns.map(({ name }) => name)
}

function sum(counts: readonly OrphanCount[]): OrphanCount[] {
  const sums = new Map<string, OrphanCount>()
  for (const { table, parent, rows } of counts) {
    const key = JSON.stringify([table, parent])
    sums.set(key, { table, parent, rows: rows + (sums.get(key)?.rows ?? 0) })
  }
  return [...sums.values()]
}
