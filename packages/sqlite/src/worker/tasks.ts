import { ForeignKeySuspension } from '../migration/foreign-key-suspension.ts'
import { integrityProblems } from '../maintenance/integrity.ts'
import { deleteOrphans, foreignKeyViolations } from '../maintenance/orphans.ts'
import { sizeOf } from '../maintenance/size.ts'
import type { StatementEngine } from '../statement/statement-engine.ts'
import type { TaskName } from './protocol.ts'

/** Maintenance on the connection of this thread; backups, which take long, are not among it. */
export class Tasks {
  readonly #engine: StatementEngine
  readonly #path: string
  #suspension: ForeignKeySuspension | undefined

  constructor(engine: StatementEngine, path: string) {
    this.#engine = engine
    this.#path = path
  }

  run(name: TaskName, argument: unknown): unknown {
    const { database } = this.#engine
    switch (name) {
      case 'optimize':
        return this.#command('pragma optimize')
      case 'vacuum':
        return this.#command('vacuum')
      case 'checkpoint':
        return database.pragma('wal_checkpoint(truncate)')
      case 'integrityCheck':
        return integrityProblems(database)
      case 'foreignKeyCheck':
        return foreignKeyViolations(database)
      case 'deleteOrphans':
        return deleteOrphans(database, argument as readonly string[] | 'all')
      case 'size':
        return sizeOf(database, this.#path)
      case 'suspendForeignKeys':
        this.#suspension = new ForeignKeySuspension(this.#engine)
        return undefined
      case 'checkForeignKeys':
        return this.#suspension?.check()
      case 'restoreForeignKeys':
        return this.#suspension?.end()
      case 'backup':
        throw new Error('A backup is no task that is over at once.')
    }
  }

  #command(sql: string): undefined {
    this.#engine.prepare(sql).forRun().run()
  }
}
