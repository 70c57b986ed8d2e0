import { ForeignKeySuspension } from '../migration/foreign-key-suspension.ts'
import { migrationTimeoutMs } from '../migration/migration-timeout.ts'
import { Migration } from '../migration/migration.ts'
import { retryWhileBusy } from './busy-retry.ts'
import type { InlineEngine } from './inline-engine.ts'

/** See `Migration`. */
export class InlineMigration extends Migration {
  readonly #engine: InlineEngine
  readonly #foreignKeys: ForeignKeySuspension

  constructor(engine: InlineEngine) {
    super()
    this.#engine = engine
    engine.snapshot?.endAll()
    this.#foreignKeys = new ForeignKeySuspension(engine.writer)
  }

  override checkForeignKeys(): void {
    this.#foreignKeys.check()
  }

  protected override restoreForeignKeys(): void {
    this.#engine.snapshot?.endAll()
    this.#foreignKeys.end()
  }

  /** Runs a statement outside a transaction. */
  async autocommit<T>(run: () => T): Promise<T> {
    const { path, readers } = this.#engine
    await this.startUnchecked(readers === undefined ? undefined : path)
    return retryWhileBusy(run, migrationTimeoutMs)
  }
}
