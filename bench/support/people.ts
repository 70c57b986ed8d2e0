import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Generated } from 'kysely'
import { integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'

export interface PersonTable {
  id: Generated<number>
  name: string
  email: string
  age: number
  score: number
  created_at: string
}

export interface People {
  person: PersonTable
}

export const person = sqliteTable('person', {
  id: integer().primaryKey(),
  name: text().notNull(),
  email: text().notNull(),
  age: integer().notNull(),
  score: real().notNull(),
  created_at: text().notNull(),
})

export const personCount = 100_000

export const byId = 'select * from person where id = ?'
export const many = 'select * from person where id <= ?'
export const insertOne =
  'insert into person (name, email, age, score, created_at) values (?, ?, ?, ?, ?)'

/** A directory of identical database files, one for each contender: two connections to one file share locks. */
export class PeopleFiles {
  readonly #directory = mkdtempSync(join(tmpdir(), 'keelson-bench-'))
  readonly #seed = join(this.#directory, 'seed.db')

  constructor(rows: number = personCount) {
    const database = new Database(this.#seed)
    database.pragma('journal_mode = wal')
    database.exec(
      'create table person (id integer primary key, name text not null, email text not null, age integer not null, score real not null, created_at text not null)',
    )
    const insert = database.prepare('insert into person values (?, ?, ?, ?, ?, ?)')
    database.transaction(() => {
      for (let id = 1; id <= rows; id++) insert.run(id, ...personValues(id))
    })()
    database.pragma('wal_checkpoint(truncate)')
    database.close()
  }

  file(contender: string): string {
    const file = join(this.#directory, `${contender.replaceAll(/\W+/g, '-')}.db`)
    copyFileSync(this.#seed, file)
    return file
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** A file as people open it. */
export function tuned(file: string, synchronous: 'normal' | 'full' = 'normal'): Database.Database {
  const database = new Database(file)
  database.pragma('journal_mode = wal')
  database.pragma(`synchronous = ${synchronous}`)
  return database
}

export function personValues(id: number): [string, string, number, number, string] {
  return [
    `Person ${id} of many`,
    `person${id}@example.com`,
    id % 90,
    id * 1.5,
    '2026-11-21T00:00:00.000Z',
  ]
}

export function personOf(id: number): Omit<PersonTable, 'id'> {
  const [name, email, age, score, created_at] = personValues(id)
  return { name, email, age, score, created_at }
}

/** Ids in an order that no page cache likes, the same for every contender. */
export function scatteredIds(times: number): readonly number[] {
  const ids: number[] = []
  for (let step = 0, id = 17; step < times; step++)
    ids.push((id = (id * 7919 + 13) % personCount) + 1)
  return ids
}
