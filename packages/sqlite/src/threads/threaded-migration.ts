import { Migration } from '../migration/migration.ts'
import type { TaskName } from '../worker/protocol.ts'
import type { Thread } from './thread.ts'
import type { ThreadedEngine } from './threaded-engine.ts'

/** See `Migration`; the thread that writes knows of the foreign keys. */
export class ThreadedMigration extends Migration {
  readonly #engine: ThreadedEngine
  readonly #thread: Thread

  static async begin(engine: ThreadedEngine, thread: Thread): Promise<ThreadedMigration> {
    const migration = new ThreadedMigration(engine, thread)
    await migration.#task('pragma foreign_keys = off', 'suspendForeignKeys')
    return migration
  }

  private constructor(engine: ThreadedEngine, thread: Thread) {
    super()
    this.#engine = engine
    this.#thread = thread
  }

  override checkForeignKeys(): Promise<void> {
    return this.#task('pragma foreign_key_check', 'checkForeignKeys')
  }

  protected override restoreForeignKeys(): Promise<void> {
    return this.#task('pragma foreign_keys = on', 'restoreForeignKeys')
  }

  /** Before a statement outside a transaction. */
  lock(): Promise<void> {
    return this.startUnchecked(this.#engine.path)
  }

  async #task(what: string, name: TaskName): Promise<void> {
    await this.#engine.task(this.#thread, what, name)
  }
}
