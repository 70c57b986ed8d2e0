import { type EngineName, engineTraits, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { History, HistoryRow } from '../migrate/history.ts'
import type { Migration } from '../migrate/migration.ts'

/** The table of Kysely's `Migrator`: names and times. */
export class KyselyHistory implements History {
  readonly table: string
  readonly schema: string | undefined
  /** https://github.com/kysely-org/kysely/blob/v0.29.9/src/dialect/postgres/postgres-adapter.ts */
  readonly migratorLock = '3853314791062309107'
  readonly #engine: EngineName

  constructor(engine: EngineName, table = 'kysely_migration', schema?: string) {
    this.#engine = engine
    this.table = table
    this.schema = schema
  }

  create(table: string): readonly string[] {
    return [
      `create table if not exists ${table} (name varchar(255) not null primary key, timestamp varchar(255) not null)`,
    ]
  }

  *read(session: HostSession, table: string): Steps<readonly HistoryRow[]> {
    const rows = yield* wait(session.query(`select name, timestamp from ${table}`))
    return rows.map((row) => {
      const name = String(row['name'])
      const at = Date.parse(String(row['timestamp']))
      return { name, label: name, at, key: name, hash: undefined, isEdited: false }
    })
  }

  *add(
    session: HostSession,
    table: string,
    { name }: Migration,
    rows: readonly HistoryRow[],
  ): Steps<void> {
    // The Migrator orders by time: https://github.com/kysely-org/kysely/issues/2244
    const last = Math.max(0, ...rows.map(({ at }) => at))
    const at = new Date(Math.max(Date.now(), last + 1)).toISOString()
    const sql = `insert into ${table} (name, timestamp) values (${this.#place(1)}, ${this.#place(2)})`
    yield* wait(session.run(sql, [name, at]))
  }

  *remove(session: HostSession, table: string, { key }: HistoryRow): Steps<void> {
    yield* wait(session.run(`delete from ${table} where name = ${this.#place(1)}`, [key]))
  }

  #place(index: number): string {
    return engineTraits[this.#engine].placeholder === '?' ? '?' : `$${index}`
  }
}
