import { areComparable } from './checksum.ts'
import { MigrationRefusedError } from './errors.ts'
import type { HistoryRow, Note } from './history.ts'
import { lineDiff } from './line-diff.ts'
import type { Migration } from './migration.ts'

/** What has been applied, what has not, and that both fit together. */
export interface MigrationState {
  readonly rows: readonly HistoryRow[]
  readonly notes: ReadonlyMap<string, Note>
  /** In the order in which they were applied. */
  readonly applied: readonly Migration[]
  readonly pending: readonly Migration[]
  /** Of those applied: the ones whose text nobody has noted, or noted another kind of text of. */
  readonly unknown: readonly Migration[]
}

/**
 * @throws {MigrationRefusedError} `MIGRATION_DIRTY`, `MIGRATION_MISSING`, `MIGRATION_EDITED`, `MIGRATION_OUT_OF_ORDER`
 */
export function stateOf(
  migrations: readonly Migration[],
  rows: readonly HistoryRow[],
  noted: readonly Note[],
  allowOutOfOrder: boolean,
): MigrationState {
  const notes = new Map(noted.map((note) => [note.name, note]))
  refuseDirty(noted)
  const byName = new Map(migrations.map((migration) => [migration.name, migration]))
  const ordered = rows.toSorted((one, other) => one.at - other.at || compare(one.name, other.name))
  refuseMissing(ordered, byName, noted)
  const appliedRows = new Map(ordered.map((row) => [row.name!, row]))
  const applied = ordered.map(({ name }) => byName.get(name!)!)
  for (const migration of applied) {
    refuseEdited(migration, appliedRows.get(migration.name)!, notes.get(migration.name))
  }
  const pending = migrations.filter(({ name }) => !appliedRows.has(name))
  if (!allowOutOfOrder) refuseOutOfOrder(migrations, pending, appliedRows)
  const unknown = applied.filter((migration) => isUnknown(migration, notes.get(migration.name)))
  return { rows, notes, applied, pending, unknown }
}

/** What a row of the history is called: by the migration it belongs to, or else by what was noted of it. */
export function nameOf(row: HistoryRow, noted: readonly Note[]): string {
  if (row.name !== undefined) return row.name
  const note = noted.find(({ checksum }) => checksum === `file:${row.hash}`)
  return note?.name ?? row.label
}

function refuseDirty(notes: readonly Note[]): void {
  const [dirty] = notes.filter(({ state }) => state !== 'applied')
  if (dirty === undefined) return
  const what = dirty.state === 'applying' ? 'applied' : 'undone'
  throw new MigrationRefusedError(
    'MIGRATION_DIRTY',
    `Migration "${dirty.name}" was being ${what} without a transaction by process ${dirty.holder} at ` +
      `${dirty.startedAt} and did not come to its end: a part of it may be in the database. Nothing else is migrated ` +
      'until that is settled. Complete it or undo it by hand, then say which: ' +
      `repairMigration(db, { migrations, name: '${dirty.name}', as: 'done' }), or as: 'undone' to have it run again.`,
    [dirty.name],
  )
}

function refuseMissing(
  rows: readonly HistoryRow[],
  byName: ReadonlyMap<string, Migration>,
  notes: readonly Note[],
): void {
  const missing = rows
    .filter(({ name }) => name === undefined || !byName.has(name))
    .map((row) => nameOf(row, notes))
  if (missing.length === 0) return
  throw new MigrationRefusedError(
    'MIGRATION_MISSING',
    `The database has had ${listed(missing)}, which ${missing.length === 1 ? 'is' : 'are'} not among the migrations. ` +
      'Bring back what was deleted or renamed, or deploy the version that has it; to have the history forget one: ' +
      `repairMigration(db, { migrations, name: '${missing[0]!}', as: 'undone' }).`,
    missing,
  )
}

function refuseEdited(migration: Migration, row: HistoryRow, note: Note | undefined): void {
  const { name, checksum, content } = migration
  const isChanged =
    note?.checksum !== undefined &&
    checksum !== undefined &&
    areComparable(note.checksum, checksum) &&
    note.checksum !== checksum
  if (!isChanged && !row.isEdited) return
  const old = note?.checksum ?? row.hash
  const before = note?.content
  const diff =
    before === undefined || content === undefined || before === content
      ? 'The old text is not known.'
      : `\n${lineDiff(before, content)}\n`
  throw new MigrationRefusedError(
    'MIGRATION_EDITED',
    `Migration "${name}" was edited after it had been applied: its checksum was ${old} and is ${checksum}. ${diff} ` +
      'Undo the edit and write what is missing as a new migration; or, when the database is known to have what the text ' +
      `says now: repairMigration(db, { migrations, name: '${name}', as: 'edited' }).`,
    [name],
  )
}

function refuseOutOfOrder(
  migrations: readonly Migration[],
  pending: readonly Migration[],
  applied: ReadonlyMap<string, unknown>,
): void {
  const last = migrations.findLastIndex(({ name }) => applied.has(name))
  const earlier = new Set(migrations.slice(0, Math.max(0, last)))
  const early = pending.filter((migration) => earlier.has(migration))
  if (early.length === 0) return
  const names = early.map(({ name }) => name)
  throw new MigrationRefusedError(
    'MIGRATION_OUT_OF_ORDER',
    `${listed(names)} ${names.length === 1 ? 'comes' : 'come'} before "${migrations[last]!.name}", which has been applied ` +
      'already, as happens when a branch is merged late. Nothing was migrated. Give it a later name (Drizzle: generate it ' +
      'anew), or pass `allowOutOfOrder: true` when it does not matter which comes first.',
    names,
  )
}

function isUnknown({ checksum }: Migration, note: Note | undefined): boolean {
  if (note === undefined) return true
  if (checksum === undefined) return false
  return note.checksum === undefined || !areComparable(note.checksum, checksum)
}

function listed(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ')
}

function compare(one: string | undefined, other: string | undefined): number {
  return (one ?? '') < (other ?? '') ? -1 : 1
}
