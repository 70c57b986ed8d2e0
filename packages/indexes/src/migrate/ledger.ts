import { type EngineName, engineTraits, quoteIdentifier, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { engines } from './engine/engines.ts'
import type { History, HistoryRow, Note } from './history.ts'
import type { Migration } from './migration.ts'
import { thisProcess } from './note-holder.ts'

const noteTable = 'keelson_migration'

/** The history of one database, and the notes beside it. */
export class Ledger {
  readonly history: History
  readonly #engine: EngineName
  readonly #historyName: string
  readonly #noteName: string

  constructor(history: History, engine: EngineName) {
    this.history = history
    this.#engine = engine
    this.#historyName = this.#qualified(history.table)
    this.#noteName = this.#qualified(noteTable)
  }

  /** Statements that change nothing where the tables are there, but take SQLite's write lock. */
  get claim(): readonly string[] {
    return [this.#createNotes, `delete from ${this.#noteName} where 1 = 0`]
  }

  *create(session: HostSession): Steps<void> {
    const { schema } = this.history
    const hasHistory = yield* this.#hasHistory(session)
    if (hasHistory && (yield* this.#hasNotes(session))) return
    if (schema !== undefined && engines[this.#engine].createsSchemas) {
      const name = quoteIdentifier(schema, this.#engine)
      yield* wait(session.run(`create schema if not exists ${name}`))
    }
    yield* wait(session.run(this.#createNotes))
    if (hasHistory) return
    for (const sql of this.history.create(this.#historyName, this.#engine)) {
      yield* wait(session.run(sql))
    }
  }

  *rows(session: HostSession): Steps<readonly HistoryRow[]> {
    if (!(yield* this.#hasHistory(session))) return []
    return yield* this.history.read(session, this.#historyName)
  }

  *notes(session: HostSession): Steps<readonly Note[]> {
    if (!(yield* this.#hasNotes(session))) return []
    const found = yield* wait(
      session.query(
        `select name, checksum, content, state, holder, started_at from ${this.#noteName} where history = ${this.#placeholder(1)}`,
        [this.history.table],
      ),
    )
    return found.map((row) => ({
      name: String(row['name']),
      checksum: textOrNothing(row['checksum']),
      content: textOrNothing(row['content']),
      state: String(row['state']) as Note['state'],
      holder: String(row['holder']),
      startedAt: String(row['started_at']),
    }))
  }

  *add(session: HostSession, migration: Migration, rows: readonly HistoryRow[]): Steps<void> {
    yield* this.history.add(session, this.#historyName, migration, rows)
  }

  *remove(session: HostSession, row: HistoryRow): Steps<void> {
    yield* this.history.remove(session, this.#historyName, row)
  }

  /** Writes a note, or writes it anew. */
  *note(
    session: HostSession,
    { name, checksum, content }: Pick<Migration, 'name' | 'checksum' | 'content'>,
    state: Note['state'],
    isKnown: boolean,
  ): Steps<void> {
    const p = (index: number): string => this.#placeholder(index)
    const values = [
      checksum ?? null,
      content ?? null,
      state,
      thisProcess(),
      new Date().toISOString(),
    ]
    const sql = isKnown
      ? `update ${this.#noteName} set checksum = ${p(1)}, content = ${p(2)}, state = ${p(3)}, holder = ${p(4)}, started_at = ${p(5)} where history = ${p(6)} and name = ${p(7)}`
      : `insert into ${this.#noteName} (checksum, content, state, holder, started_at, history, name) values (${[1, 2, 3, 4, 5, 6, 7].map(p).join(', ')})`
    yield* wait(session.run(sql, [...values, this.history.table, name]))
  }

  *forget(session: HostSession, name: string): Steps<void> {
    yield* wait(
      session.run(
        `delete from ${this.#noteName} where history = ${this.#placeholder(1)} and name = ${this.#placeholder(2)}`,
        [this.history.table, name],
      ),
    )
  }

  get #createNotes(): string {
    const long = engines[this.#engine].longText
    return (
      `create table if not exists ${this.#noteName} (history varchar(255) not null, name varchar(255) not null, ` +
      `checksum varchar(255), content ${long}, state varchar(20) not null, holder varchar(255) not null, ` +
      'started_at varchar(40) not null, primary key (history, name))'
    )
  }

  #hasHistory(session: HostSession): Steps<boolean> {
    const { schema, table } = this.history
    return engines[this.#engine].hasTable(session, this.#historyName, schema, table)
  }

  #hasNotes(session: HostSession): Steps<boolean> {
    return engines[this.#engine].hasTable(session, this.#noteName, this.history.schema, noteTable)
  }

  #qualified(table: string): string {
    const { schema } = this.history
    const name = quoteIdentifier(table, this.#engine)
    return schema === undefined ? name : `${quoteIdentifier(schema, this.#engine)}.${name}`
  }

  #placeholder(index: number): string {
    return engineTraits[this.#engine].placeholder === '?' ? '?' : `$${index}`
  }
}

function textOrNothing(value: unknown): string | undefined {
  return (value as string | null | undefined) ?? undefined
}
