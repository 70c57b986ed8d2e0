import { DatabaseSync } from 'node:sqlite'
import { openSqlite } from '@keelson/sqlite'
import { drizzle as keelsonDrizzle } from '@keelson/sqlite/drizzle'
import { SqliteDialect as KeelsonDialect } from '@keelson/sqlite/kysely'
import { createClient } from '@libsql/client'
import { eq, lte } from 'drizzle-orm'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { drizzle as libsqlDrizzle } from 'drizzle-orm/libsql'
import { Kysely, SqliteDialect } from 'kysely'
import { GenericSqliteDialect } from 'kysely-generic-sqlite'
import {
  byId,
  insertOne,
  many,
  type People,
  type PeopleFiles,
  person,
  personOf,
  personValues,
  tuned,
} from './people.ts'

/** One way to reach SQLite. Each job tells how many rows it saw; loops stand here, so that none pays for a callback. */
export interface SqliteContender {
  readonly name: string
  pointSelect(ids: readonly number[]): number | Promise<number>
  manyRows(limit: number, times: number): number | Promise<number>
  insert(ids: readonly number[]): number | Promise<number>
  readonly stream?: (limit: number) => number | Promise<number>
  close(): unknown
}

/** All of them, on files of their own in WAL mode with synchronous = normal. */
export async function sqliteContenders(files: PeopleFiles): Promise<SqliteContender[]> {
  return [
    raw(files.file('raw')),
    nodeSqlite(files.file('node-sqlite')),
    await libsql(files.file('libsql')),
    keelson(files.file('keelson')),
    throughKysely('Kysely: Keelson', new KeelsonDialect({ path: files.file('kysely-keelson') })),
    throughKysely(
      'Kysely: SqliteDialect',
      new SqliteDialect({ database: tuned(files.file('kysely')) }),
    ),
    throughKysely('Kysely: kysely-generic-sqlite', generic(files.file('kysely-generic'))),
    throughKeelsonDrizzle(files.file('drizzle-keelson')),
    throughBetterSqlite3Drizzle(files.file('drizzle')),
    await throughLibsqlDrizzle(files.file('drizzle-libsql')),
  ]
}

function raw(file: string): SqliteContender {
  const database = tuned(file)
  const get = database.prepare(byId)
  const all = database.prepare(many)
  const insert = database.prepare(insertOne)
  return {
    name: 'raw better-sqlite3, prepared',
    pointSelect(ids) {
      let rows = 0
      for (const id of ids) if (get.get(id) !== undefined) rows++
      return rows
    },
    manyRows(limit, times) {
      let rows = 0
      for (let n = 0; n < times; n++) rows += all.all(limit).length
      return rows
    },
    insert(ids) {
      let rows = 0
      for (const id of ids) rows += insert.run(...personValues(id)).changes
      return rows
    },
    stream(limit) {
      let rows = 0
      for (const row of all.iterate(limit)) if ((row as { id: number }).id > 0) rows++
      return rows
    },
    close: () => database.close(),
  }
}

function nodeSqlite(file: string): SqliteContender {
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = wal; pragma synchronous = normal')
  const get = database.prepare(byId)
  const all = database.prepare(many)
  const insert = database.prepare(insertOne)
  return {
    name: 'node:sqlite, prepared',
    pointSelect(ids) {
      let rows = 0
      for (const id of ids) if (get.get(id) !== undefined) rows++
      return rows
    },
    manyRows(limit, times) {
      let rows = 0
      for (let n = 0; n < times; n++) rows += all.all(limit).length
      return rows
    },
    insert(ids) {
      let rows = 0
      for (const id of ids) rows += Number(insert.run(...personValues(id)).changes)
      return rows
    },
    close: () => database.close(),
  }
}

async function libsql(file: string): Promise<SqliteContender> {
  const client = createClient({ url: `file:${file}` })
  await client.execute('pragma synchronous = normal')
  return {
    name: 'libsql client',
    async pointSelect(ids) {
      let rows = 0
      for (const id of ids) rows += (await client.execute({ sql: byId, args: [id] })).rows.length
      return rows
    },
    async manyRows(limit, times) {
      let rows = 0
      for (let n = 0; n < times; n++)
        rows += (await client.execute({ sql: many, args: [limit] })).rows.length
      return rows
    },
    async insert(ids) {
      let rows = 0
      for (const id of ids)
        rows += (await client.execute({ sql: insertOne, args: personValues(id) })).rowsAffected
      return rows
    },
    close: () => client.close(),
  }
}

function keelson(file: string): SqliteContender {
  const database = openSqlite(file)
  return {
    name: 'Keelson, no ORM',
    async pointSelect(ids) {
      let rows = 0
      for (const id of ids) rows += (await database.execute(byId, [id])).rows.length
      return rows
    },
    async manyRows(limit, times) {
      let rows = 0
      for (let n = 0; n < times; n++) rows += (await database.execute(many, [limit])).rows.length
      return rows
    },
    async insert(ids) {
      let rows = 0
      for (const id of ids) rows += (await database.execute(insertOne, personValues(id))).changes!
      return rows
    },
    async stream(limit) {
      let rows = 0
      for await (const chunk of database.stream<{ id: number }>(many, [limit])) {
        for (const row of chunk) if (row.id > 0) rows++
      }
      return rows
    },
    close: () => database.close(),
  }
}

function generic(file: string): GenericSqliteDialect {
  return new GenericSqliteDialect(() => {
    const db = tuned(file)
    return {
      db,
      query: async (_isSelect, sql, parameters) => {
        const statement = db.prepare(sql)
        if (statement.reader) return { rows: statement.all(parameters) as never[] }
        const { changes, lastInsertRowid } = statement.run(parameters)
        return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
      },
      iterator: (_isSelect, sql, parameters) => db.prepare(sql).iterate(parameters ?? []) as never,
      close: () => void db.close(),
    }
  })
}

function throughKysely(
  name: string,
  dialect: KeelsonDialect | SqliteDialect | GenericSqliteDialect,
): SqliteContender {
  const db = new Kysely<People>({ dialect })
  return {
    name,
    async pointSelect(ids) {
      let rows = 0
      for (const id of ids) {
        const row = await db
          .selectFrom('person')
          .selectAll()
          .where('id', '=', id)
          .executeTakeFirst()
        if (row !== undefined) rows++
      }
      return rows
    },
    async manyRows(limit, times) {
      let rows = 0
      for (let n = 0; n < times; n++) {
        rows += (await db.selectFrom('person').selectAll().where('id', '<=', limit).execute())
          .length
      }
      return rows
    },
    async insert(ids) {
      let rows = 0
      for (const id of ids) {
        const { numInsertedOrUpdatedRows } = await db
          .insertInto('person')
          .values(personOf(id))
          .executeTakeFirstOrThrow()
        rows += Number(numInsertedOrUpdatedRows)
      }
      return rows
    },
    async stream(limit) {
      let rows = 0
      for await (const row of db
        .selectFrom('person')
        .selectAll()
        .where('id', '<=', limit)
        .stream()) {
        if (row.id > 0) rows++
      }
      return rows
    },
    close: () => db.destroy(),
  }
}

// Drizzle's drivers have types of their own, so the same calls stand here once for each.
function throughKeelsonDrizzle(file: string): SqliteContender {
  const db = keelsonDrizzle(file)
  return drizzleContender('Drizzle: Keelson', {
    one: (id) => db.select().from(person).where(eq(person.id, id)).get(),
    all: (limit) => db.select().from(person).where(lte(person.id, limit)).all(),
    insert: (id) => db.insert(person).values(personOf(id)).run(),
    close: () => db.$client.close(),
  })
}

function throughBetterSqlite3Drizzle(file: string): SqliteContender {
  const client = tuned(file)
  const db = betterSqlite3Drizzle(client)
  return drizzleContender('Drizzle: better-sqlite3', {
    one: (id) => db.select().from(person).where(eq(person.id, id)).get(),
    all: (limit) => db.select().from(person).where(lte(person.id, limit)).all(),
    insert: (id) => db.insert(person).values(personOf(id)).run(),
    close: () => client.close(),
  })
}

async function throughLibsqlDrizzle(file: string): Promise<SqliteContender> {
  const client = createClient({ url: `file:${file}` })
  await client.execute('pragma synchronous = normal')
  const db = libsqlDrizzle(client)
  return drizzleContender('Drizzle: libsql', {
    one: (id) => db.select().from(person).where(eq(person.id, id)).get(),
    all: (limit) => db.select().from(person).where(lte(person.id, limit)).all(),
    insert: (id) => db.insert(person).values(personOf(id)).run(),
    close: () => client.close(),
  })
}

interface DrizzleJobs {
  readonly one: (id: number) => unknown
  readonly all: (limit: number) => unknown[] | Promise<unknown[]>
  readonly insert: (id: number) => unknown
  readonly close: () => unknown
}

function drizzleContender(name: string, { one, all, insert, close }: DrizzleJobs): SqliteContender {
  return {
    name,
    async pointSelect(ids) {
      let rows = 0
      for (const id of ids) if ((await one(id)) !== undefined) rows++
      return rows
    },
    async manyRows(limit, times) {
      let rows = 0
      for (let n = 0; n < times; n++) rows += (await all(limit)).length
      return rows
    },
    async insert(ids) {
      for (const id of ids) await insert(id)
      return ids.length
    },
    close,
  }
}
