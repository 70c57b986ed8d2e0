import type { BetterSqlite3Database, BetterSqlite3Statement } from '../better-sqlite3.ts'
import type { PreparedStatement } from '../statement/prepared-statement.ts'
import type { Layout } from './protocol.ts'

interface Known {
  readonly width: number
  readonly version: number
}

/** Which columns of which statements the calling thread knows already. */
export class KnownLayouts {
  readonly #database: BetterSqlite3Database
  readonly #known = new Map<number, Known>()
  #readVersion: BetterSqlite3Statement | undefined
  #version: number | undefined

  constructor(database: BetterSqlite3Database) {
    this.#database = database
  }

  /** Call before statements run that nothing is known of yet. */
  refresh(): void {
    this.#version = undefined
  }

  forget(): void {
    this.#known.clear()
  }

  /** The layout of this one was not sent. */
  forgetOne(textId: number): void {
    this.#known.delete(textId)
  }

  /**
   * How many columns a statement has, and which, where they were not sent.
   *
   * @param textId its number
   */
  of(textId: number, statement: PreparedStatement): { width: number; layout: Layout | undefined } {
    const known = this.#known.get(textId)
    // Behind a `*` another process may have added a column.
    const version = statement.hasStar ? this.#schemaVersion() : 0
    if (known?.version === version) return { width: known.width, layout: undefined }
    const names = statement.columnNames()
    this.#known.set(textId, { width: names.length, version })
    return { width: names.length, layout: { names } }
  }

  #schemaVersion(): number {
    this.#readVersion ??= this.#database.prepare('pragma schema_version').raw(true)
    this.#version ??= (this.#readVersion.get() as [number])[0]
    return this.#version
  }
}
