import { checkOptionNames, Holder } from '@keelson/core'
import { backup } from '../maintenance/backup.ts'
import type {
  BackupOptions,
  BackupReport,
  ForeignKeyViolation,
  OrphanCount,
  SqliteMaintenance,
  SqliteSize,
} from '../maintenance/maintenance.ts'
import { countOrphans } from '../maintenance/orphans.ts'
import type { BackupTask } from '../worker/backup-job.ts'
import { errorOf } from './reply-error.ts'
import type { ThreadedEngine } from './threaded-engine.ts'

/** See `SqliteMaintenance`. Checks run on a thread that reads, the rest in its turn on the one that writes. */
export class ThreadedMaintenance implements SqliteMaintenance {
  readonly #engine: ThreadedEngine

  constructor(engine: ThreadedEngine) {
    this.#engine = engine
  }

  async backup(file: string | URL, options: BackupOptions = {}): Promise<BackupReport> {
    const engine = this.#engine
    return backup(
      {
        directory: engine.options.directory,
        assertOpen: () => engine.assertOpen(),
        copy: (copy, pagesPerSlice, given) => this.#copy({ file: copy, pagesPerSlice }, given),
      },
      file,
      options,
    )
  }

  async optimize(): Promise<void> {
    await this.#engine.exclusively('pragma optimize', 'optimize')
  }

  async vacuum(): Promise<void> {
    await this.#engine.exclusively('vacuum', 'vacuum')
  }

  async integrityCheck(): Promise<{ ok: boolean; problems: string[] }> {
    const problems = await this.#engine.reading<string[]>(
      'pragma integrity_check',
      'integrityCheck',
    )
    return { ok: problems.length === 0, problems }
  }

  async foreignKeyCheck(): Promise<ForeignKeyViolation[]> {
    return this.#engine.reading('pragma foreign_key_check', 'foreignKeyCheck')
  }

  async findOrphans(): Promise<OrphanCount[]> {
    return countOrphans(await this.foreignKeyCheck())
  }

  async deleteOrphans(options: {
    readonly tables: readonly string[] | 'all'
  }): Promise<OrphanCount[]> {
    checkOptionNames('deleteOrphans()', options, ['tables'])
    const { tables } = options
    return this.#engine.exclusively('deleteOrphans()', 'deleteOrphans', tables)
  }

  async size(): Promise<SqliteSize> {
    return this.#engine.reading('size()', 'size')
  }

  async #copy(
    task: BackupTask,
    { signal, onProgress }: BackupOptions,
  ): Promise<{ totalPages: number; problems: readonly string[] }> {
    const engine = this.#engine
    // Inside a transaction the first slice copies nothing, which better-sqlite3 takes for the end of an empty database.
    const holder = new Holder('maintenance', 'backup()')
    await engine.gate.enter(holder, 'backup()', signal)
    const { writer } = engine
    let failure: { readonly error: unknown } | undefined
    const stop = (error: unknown): void => {
      failure ??= { error }
      writer.cancel(ticket.id)
    }
    const ticket = writer.task('backup', task, (pages) => {
      engine.gate.leave(holder)
      try {
        engine.assertOpen()
        onProgress?.(pages as Parameters<NonNullable<BackupOptions['onProgress']>>[0])
      } catch (error) {
        stop(error)
      }
    })
    const abort = (): void => stop(signal!.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      const reply = await ticket.reply
      if (failure !== undefined) throw failure.error
      if (reply.kind !== 'value') throw errorOf(reply, 'backup()', true)
      const { totalPages, isEmpty, problems } = reply.value as {
        readonly totalPages: number
        readonly isEmpty: boolean
        readonly problems: readonly string[]
      }
      if (isEmpty) throw new Error('SQLite copied none of its pages')
      return { totalPages, problems }
    } finally {
      signal?.removeEventListener('abort', abort)
      engine.gate.leave(holder)
    }
  }
}
