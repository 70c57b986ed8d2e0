import Database from 'better-sqlite3'
import { sql, type Compilable, type Kysely, type QueryResult } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import {
  addPersons,
  createTables,
  kysely,
  kyselyWithTables,
  names,
  rejection,
  temporaryFile,
} from './fixture.ts'

/** The whole result, of which the query builders show only a part. */
function result(db: Kysely<any>, query: Compilable): Promise<QueryResult<unknown>> {
  return db.executeQuery(query)
}

test('S1: counts the rows of INSERT, UPDATE and DELETE with RETURNING', async () => {
  const db = await kyselyWithTables()
  const insert = db
    .insertInto('person')
    .values([{ name: 'Ada' }, { name: 'Alan' }])
    .returning('id')
  expect(await result(db, insert)).toEqual({
    rows: [{ id: 1 }, { id: 2 }],
    numAffectedRows: 2n,
    insertId: 2n,
  })
  const update = db.updateTable('person').set({ age: 36 }).returning('id')
  expect(await result(db, update)).toEqual({ rows: [{ id: 1 }, { id: 2 }], numAffectedRows: 2n })
  const remove = db.deleteFrom('person').where('id', '=', 1).returning('id')
  expect(await result(db, remove)).toEqual({ rows: [{ id: 1 }], numAffectedRows: 1n })
})

test('S2: reports no insertId for an insert that was ignored', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 2)
  const ignored = db.insertInto('person').values({ name: 'person 1' })
  const doNothing = await ignored.onConflict((oc) => oc.doNothing()).executeTakeFirstOrThrow()
  expect(doNothing).toMatchObject({ insertId: undefined, numInsertedOrUpdatedRows: 0n })
  const orIgnore = await ignored.orIgnore().executeTakeFirstOrThrow()
  expect(orIgnore).toMatchObject({ insertId: undefined, numInsertedOrUpdatedRows: 0n })
})

test('S3: reports no insertId for an upsert that updated, and the new one for an upsert that inserted', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 2)
  const upsert = (name: string) =>
    db
      .insertInto('person')
      .values({ name, age: 50 })
      .onConflict((oc) => oc.column('name').doUpdateSet({ age: 50 }))
      .executeTakeFirstOrThrow()
  expect(await upsert('person 1')).toMatchObject({
    insertId: undefined,
    numInsertedOrUpdatedRows: 1n,
  })
  expect(await upsert('person 3')).toMatchObject({ insertId: 3n, numInsertedOrUpdatedRows: 1n })
})

test('S4: reports no insertId for DDL, UPDATE, DELETE and reads after an insert', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 2)
  expect(await result(db, db.schema.createTable('other').addColumn('id', 'integer'))).toEqual({
    rows: [],
  })
  expect(await result(db, db.updateTable('person').set({ age: 1 }))).toEqual({
    rows: [],
    numAffectedRows: 2n,
  })
  expect(await result(db, db.deleteFrom('person').where('id', '=', 2))).toEqual({
    rows: [],
    numAffectedRows: 1n,
  })
  expect(await result(db, db.selectFrom('person').select('id'))).toEqual({ rows: [{ id: 1 }] })
})

test('reports the insertId of the last row, and what the builders make of it', async () => {
  const db = await kyselyWithTables()
  const inserted = await db
    .insertInto('person')
    .values([{ name: 'Ada' }, { name: 'Alan' }])
    .executeTakeFirstOrThrow()
  expect(inserted).toMatchObject({ insertId: 2n, numInsertedOrUpdatedRows: 2n })
  const updated = await db.updateTable('person').set({ age: 36 }).executeTakeFirstOrThrow()
  expect(updated).toMatchObject({ numUpdatedRows: 2n })
  expect(updated.numChangedRows).toBeUndefined()
  const deleted = await db.deleteFrom('person').executeTakeFirstOrThrow()
  expect(deleted).toMatchObject({ numDeletedRows: 2n })
})

test('S13: refuses to round an integer, and reads it exactly where the int64 option says so', async () => {
  const path = temporaryFile()
  const big = sql<{ big: unknown }>`select 9007199254740993 as big`
  const error = await rejection(big.execute(kysely({ path })))
  expect(error).toMatchObject({ code: 'INT64_RANGE', column: 'big' })
  expect((await big.execute(kysely({ path, int64: 'bigint' }))).rows).toEqual([
    { big: 9007199254740993n },
  ])
  expect((await big.execute(kysely({ path, int64: 'string' }))).rows).toEqual([
    { big: '9007199254740993' },
  ])
  expect((await big.execute(kysely({ path, int64: 'lossyNumber' }))).rows).toEqual([
    { big: 9007199254740992 },
  ])
})

test('S14: binds booleans, dates, undefined and bytes, and names what it cannot bind', async () => {
  const db = kysely()
  const date = new Date('2026-11-20T10:00:00.000Z')
  const { rows } =
    await sql`select ${true} as yes, ${false} as no, ${date} as date, ${undefined} as absent, ${new Uint8Array([1, 2])} as bytes`.execute(
      db,
    )
  expect(rows).toEqual([
    { yes: 1, no: 0, date: '2026-11-20T10:00:00.000Z', absent: null, bytes: Buffer.from([1, 2]) },
  ])
  const error = await rejection(sql`select ${{ a: 1 }} as object`.execute(db))
  expect(error).toMatchObject({ code: 'PARAMETER_TYPE' })
})

test('S15: says what to do when a statement has more parameters than SQLite binds', async () => {
  const db = await kyselyWithTables()
  const rows = Array.from({ length: 16_384 }, (_, index) => ({
    name: `person ${index}`,
    age: index,
  }))
  const error = await rejection(db.insertInto('person').values(rows).execute())
  expect(error).toMatchObject({ code: 'TOO_MANY_PARAMETERS' })
  expect(error.message).toMatch(/32,766 .*Split it/)
  expect(await names(db)).toEqual([])
})

test('S15b: counts what was inserted among duplicates of one statement', async () => {
  const db = await kyselyWithTables()
  const counted = await db
    .insertInto('person')
    .values([{ name: 'Ada' }, { name: 'Ada' }, { name: 'Alan' }])
    .onConflict((oc) => oc.doNothing())
    .executeTakeFirstOrThrow()
  expect(counted.numInsertedOrUpdatedRows).toBe(2n)
})

test('S21: prepares a statement once, however often it runs', async () => {
  const prepared: string[] = []
  class CountingDatabase extends Database {
    override prepare(source: string): any {
      prepared.push(source)
      return super.prepare(source)
    }
  }
  const database = new CountingDatabase(temporaryFile())
  onTestFinished(() => void database.close())
  const db = kysely({ database })
  await createTables(db)
  for (const id of [1, 2, 3])
    await db.selectFrom('person').selectAll().where('id', '=', id).execute()
  expect(prepared.filter((sql) => sql.startsWith('select * from "person"'))).toHaveLength(1)
})
