import {
  engineTraits,
  quoteIdentifier,
  transactionObserver,
  type TransactionObserver,
} from '@keelson/core'
import { checkBegin } from '../scope/begin-check.ts'
import type { BeginSettings } from '../scope/line.ts'
import type { SyncLine } from '../sync/sync-line.ts'
import { foreignKeyError } from '../scope/commit-errors.ts'
import type { DrizzleSession } from './internals.ts'

/** A database of better-sqlite3, as far as it is used. https://github.com/WiseLibs/better-sqlite3/blob/master/docs/api.md */
export interface BetterSqlite3Client {
  readonly name: string
  readonly inTransaction: boolean
  exec(sql: string): unknown
  pragma(source: string, options?: { simple?: boolean }): unknown
}

const { begin, savepoint } = engineTraits.sqlite

/** The connection of better-sqlite3, with a transaction on it. */
export class BetterSqlite3Line implements SyncLine {
  readonly #client: BetterSqlite3Client
  readonly #session: DrizzleSession
  readonly observer: TransactionObserver | undefined
  #restore: unknown

  constructor(session: DrizzleSession) {
    this.#session = session
    this.#client = session.client as BetterSqlite3Client
    this.observer = session.dialect[transactionObserver]
  }

  get databaseName(): string {
    return this.#client.name
  }

  get inTransaction(): boolean {
    return this.#client.inTransaction
  }

  begin(settings: BeginSettings): void {
    checkBegin(engineTraits.sqlite, settings, undefined)
    const isReadOnly = settings.accessMode === 'read only'
    if (isReadOnly) {
      this.#restore = this.#client.pragma('query_only', { simple: true })
      this.#client.pragma('query_only = on')
    }
    this.#send(begin.behavior![settings.behavior ?? (isReadOnly ? 'deferred' : 'immediate')])
  }

  commit(): void {
    this.#send('commit')
  }

  rollback(): void {
    this.#send('rollback')
  }

  savepoint(name: string): void {
    this.#send(`${savepoint!.create} ${quoteIdentifier(name, 'sqlite')}`)
  }

  rollbackTo(name: string): void {
    this.#send(`${savepoint!.rollbackTo} ${quoteIdentifier(name, 'sqlite')}`)
  }

  release(name: string): void {
    this.#send(`${savepoint!.release} ${quoteIdentifier(name, 'sqlite')}`)
  }

  checkDeferred(): void {
    const [first] = this.#client.pragma('foreign_key_check') as object[]
    if (first !== undefined) throw foreignKeyError(first)
  }

  end(): void {
    const restore = this.#restore
    this.#restore = undefined
    if (restore !== undefined) this.#client.pragma(`query_only = ${restore === 1 ? 'on' : 'off'}`)
  }

  #send(sql: string): void {
    this.#session.logger?.logQuery(sql, [])
    this.#client.exec(sql)
  }
}
