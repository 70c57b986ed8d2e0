import { type EngineName, engineTraits, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { sha256 } from '../migrate/checksum.ts'
import type { History, HistoryRow } from '../migrate/history.ts'
import type { Migration } from '../migrate/migration.ts'
import type { FolderMigration } from './migration-folder.ts'

/** The table of Drizzle's `migrate()`: hashes, and the times at which the migrations were generated. */
export class DrizzleHistory implements History {
  readonly table: string
  readonly schema: string | undefined
  readonly migratorLock = undefined
  readonly #engine: EngineName
  readonly #migrations: readonly FolderMigration[]
  /** Each is hashed once, however often the history is read. */
  readonly #hashes: ReadonlyMap<FolderMigration, ReadonlySet<string>>

  constructor(
    engine: EngineName,
    migrations: readonly FolderMigration[],
    table = '__drizzle_migrations',
    schema?: string,
  ) {
    this.#engine = engine
    this.#migrations = migrations
    this.#hashes = new Map(migrations.map((migration) => [migration, hashesOf(migration.content)]))
    this.table = table
    this.schema = schema ?? defaultSchemas[engine]
  }

  create(table: string): readonly string[] {
    return [`create table if not exists ${table} (${columns[this.#engine]})`]
  }

  *read(session: HostSession, table: string): Steps<readonly HistoryRow[]> {
    const found = yield* wait(session.query(`select hash, created_at from ${table}`))
    const rows = found.map((row) => ({
      hash: String(row['hash']),
      when: Number(row['created_at']),
    }))
    const byTime = new Map(this.#migrations.map((migration) => [migration.when, migration]))
    const taken = new Set(rows.map(({ when }) => byTime.get(when)))
    return rows.map(({ hash, when }) => {
      // One that was given another time has still been applied.
      const migration =
        byTime.get(when) ??
        this.#migrations.find((each) => !taken.has(each) && this.#hashes.get(each)!.has(hash))
      if (migration !== undefined) taken.add(migration)
      return {
        name: migration?.name,
        label: `the migration of ${new Date(when).toISOString()}`,
        at: when,
        key: when,
        hash,
        isEdited: migration !== undefined && !this.#hashes.get(migration)!.has(hash),
      }
    })
  }

  *add(session: HostSession, table: string, migration: Migration): Steps<void> {
    const { content, when } = migration as FolderMigration
    const hash = sha256(content)
    // DuckDB has no serial.
    const id = this.#engine === 'duckdb' ? `(select coalesce(max(id), 0) + 1 from ${table}), ` : ''
    const names = `${id === '' ? '' : 'id, '}hash, created_at`
    yield* wait(
      session.run(
        `insert into ${table} (${names}) values (${id}${this.#place(1)}, ${this.#place(2)})`,
        [hash, when],
      ),
    )
  }

  *remove(session: HostSession, table: string, { key, hash }: HistoryRow): Steps<void> {
    const where = `created_at = ${this.#place(1)} and hash = ${this.#place(2)}`
    yield* wait(session.run(`delete from ${table} where ${where}`, [key, hash]))
  }

  #place(index: number): string {
    return engineTraits[this.#engine].placeholder === '?' ? '?' : `$${index}`
  }
}

/** As Drizzle's own migrators have them. */
const defaultSchemas: Readonly<Partial<Record<EngineName, string>>> = {
  postgresql: 'drizzle',
  duckdb: 'drizzle',
}

/** As Drizzle's own migrators have them; of DuckDB those of @keelson/duckdb. */
const columns: Readonly<Record<EngineName, string>> = {
  sqlite: 'id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric',
  postgresql: 'id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint',
  mysql: 'id serial primary key, hash text not null, created_at bigint',
  duckdb: 'id integer primary key, hash text not null, created_at bigint',
}

/** Git may have changed the ends of the lines. */
function hashesOf(content: string): ReadonlySet<string> {
  const lines = content.replaceAll('\r\n', '\n')
  return new Set([content, lines, lines.replaceAll('\n', '\r\n')].map(sha256))
}
