import { engineTraits, invalidOption, OptionError, type Steps } from '@keelson/core'
import { Ledger } from './ledger.ts'
import type { MigrationSession } from './migration-host.ts'
import { lockOf, type MigrationJob, withLine } from './run-migrations.ts'
import { nameOf } from './state.ts'

/** What a migration is said to be; see `repairMigration()`. */
export type MigrationRepair = 'done' | 'undone' | 'edited'

/** Says in the history what a migration is. No migration is run. */
export function repair(job: MigrationJob, name: string, as: MigrationRepair): Promise<void> {
  if (typeof name !== 'string') invalidOption(job.where, 'name', name, 'the name of a migration')
  if (!['done', 'undone', 'edited'].includes(as)) {
    invalidOption(job.where, 'as', as, "'done', 'undone' or 'edited'")
  }
  return withLine(job, async (line) => {
    const ledger = new Ledger(job.history, job.host.engine)
    const lock = lockOf(job, line, ledger)
    const run = (): Promise<void> =>
      lock.transaction((session) => repairSteps(session, job, ledger, name, as))
    const { supportsTransactionalDdl } = engineTraits[job.host.engine]
    await (supportsTransactionalDdl ? run() : lock.exclusively(run))
  })
}

function* repairSteps(
  session: MigrationSession,
  { where, migrations }: MigrationJob,
  ledger: Ledger,
  name: string,
  as: MigrationRepair,
): Steps<void> {
  yield* ledger.create(session)
  const rows = yield* ledger.rows(session)
  const notes = yield* ledger.notes(session)
  const own = rows.filter((row) => nameOf(row, notes) === name)
  const isNoted = notes.some((note) => note.name === name)
  const migration = migrations.find((each) => each.name === name)
  if (as === 'undone') {
    if (own.length === 0 && !isNoted)
      throw unknownMigration(where, name, 'the history does not have it')
    for (const row of own) yield* ledger.remove(session, row)
    yield* ledger.forget(session, name)
    return
  }
  if (migration === undefined) throw unknownMigration(where, name, 'it is not among the migrations')
  if (as === 'edited' && own.length === 0) {
    throw unknownMigration(where, name, 'it has not been applied, so that it may be edited')
  }
  const isKept = own.length > 0 && !own.some(({ isEdited }) => isEdited && as === 'edited')
  if (!isKept) {
    for (const row of own) yield* ledger.remove(session, row)
    yield* ledger.add(session, migration, yield* ledger.rows(session))
  }
  yield* ledger.note(session, migration, 'applied', isNoted)
}

function unknownMigration(where: string, name: string, why: string): OptionError {
  return new OptionError(
    'INVALID_OPTION',
    'name',
    `${where} cannot repair ${JSON.stringify(name)}: ${why}. Nothing was changed.`,
  )
}
