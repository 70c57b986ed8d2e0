import { checkOptionNames } from '@keelson/core'
import type { InlineEngine } from '../inline/inline-engine.ts'
import { backup } from './backup.ts'
import { inlineBackup } from './inline-backup.ts'
import type {
  BackupOptions,
  BackupReport,
  ForeignKeyViolation,
  OrphanCount,
  SqliteMaintenance,
  SqliteSize,
} from './maintenance.ts'
import { integrityProblems } from './integrity.ts'
import { sizeOf } from './size.ts'
import { countOrphans, deleteOrphans, foreignKeyViolations } from './orphans.ts'

/** See `SqliteMaintenance`. Checks read on a read connection where there is one; the rest takes its turn to write. */
export class InlineMaintenance implements SqliteMaintenance {
  readonly #engine: InlineEngine

  constructor(engine: InlineEngine) {
    this.#engine = engine
  }

  backup(file: string | URL, options: BackupOptions = {}): Promise<BackupReport> {
    return backup(inlineBackup(this.#engine), file, options)
  }

  async optimize(): Promise<void> {
    await this.#engine.exclusively('pragma optimize', () => this.#engine.control('pragma optimize'))
  }

  async vacuum(): Promise<void> {
    await this.#engine.exclusively('vacuum', () => this.#engine.control('vacuum'))
  }

  async integrityCheck(): Promise<{ ok: boolean; problems: string[] }> {
    return this.#engine.reading('pragma integrity_check', ({ database }) => {
      const problems = integrityProblems(database)
      return { ok: problems.length === 0, problems }
    })
  }

  async foreignKeyCheck(): Promise<ForeignKeyViolation[]> {
    return this.#engine.reading('pragma foreign_key_check', ({ database }) =>
      foreignKeyViolations(database),
    )
  }

  async findOrphans(): Promise<OrphanCount[]> {
    return this.#engine.reading('pragma foreign_key_check', ({ database }) =>
      countOrphans(foreignKeyViolations(database)),
    )
  }

  async deleteOrphans(options: {
    readonly tables: readonly string[] | 'all'
  }): Promise<OrphanCount[]> {
    checkOptionNames('deleteOrphans()', options, ['tables'])
    const { database } = this.#engine.writer
    return this.#engine.exclusively('deleteOrphans()', () =>
      deleteOrphans(database, options.tables),
    )
  }

  async size(): Promise<SqliteSize> {
    const { path } = this.#engine
    return this.#engine.reading('size()', ({ database }) => sizeOf(database, path))
  }
}
