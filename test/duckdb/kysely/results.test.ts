import { readFileSync, writeFileSync } from 'node:fs'
import { sql, type Compilable, type Kysely, type QueryResult } from 'kysely'
import { expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { addPersons, collect, file, kysely, kyselyWithTables, names } from './fixture.ts'

/** The whole result, of which the query builders show only a part. */
function result(db: Kysely<any>, query: Compilable): Promise<QueryResult<unknown>> {
  return db.executeQuery(query)
}

test('S1: counts the rows of INSERT, UPDATE and DELETE, with RETURNING and without', async () => {
  const db = await kyselyWithTables()
  const insert = db.insertInto('person').values([{ name: 'Ada' }, { name: 'Alan' }])
  expect(await result(db, insert)).toEqual({ rows: [], numAffectedRows: 2n })
  const another = db.insertInto('person').values([{ name: 'Grace' }, { name: 'Edsger' }])
  expect(await result(db, another.returning('id'))).toEqual({
    rows: [{ id: 3 }, { id: 4 }],
    numAffectedRows: 2n,
  })
  const update = db.updateTable('person').set({ age: 36 })
  expect(await result(db, update)).toEqual({ rows: [], numAffectedRows: 4n })
  expect(await result(db, update.where('id', '<', 3).returning('age'))).toEqual({
    rows: [{ age: 36 }, { age: 36 }],
    numAffectedRows: 2n,
  })
  const remove = db.deleteFrom('person').where('id', '=', 1)
  expect(await result(db, remove.returning('id'))).toEqual({
    rows: [{ id: 1 }],
    numAffectedRows: 1n,
  })
  expect(await result(db, remove.returning('id'))).toEqual({ rows: [], numAffectedRows: 0n })
  expect(await result(db, db.deleteFrom('person'))).toEqual({ rows: [], numAffectedRows: 3n })
})

test('S2, S3: counts what an upsert inserted, updated or left alone, and reports no insertId', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 2)
  const values = [1, 2, 3].map((n) => ({ name: `person ${n}`, age: 50 }))
  const insert = db.insertInto('person').values(values)
  const skip = insert.onConflict((oc) => oc.doNothing())
  expect(await skip.executeTakeFirstOrThrow()).toMatchObject({
    insertId: undefined,
    numInsertedOrUpdatedRows: 1n,
  })
  expect((await skip.executeTakeFirstOrThrow()).numInsertedOrUpdatedRows).toBe(0n)
  const upsert = insert.onConflict((oc) => oc.column('name').doUpdateSet({ age: 51 }))
  expect((await upsert.executeTakeFirstOrThrow()).numInsertedOrUpdatedRows).toBe(3n)
  expect(await result(db, upsert.returning('name'))).toMatchObject({ numAffectedRows: 3n })
  const older = insert.onConflict((oc) =>
    oc.column('name').doUpdateSet({ age: 1 }).where('person.age', '>', 100),
  )
  expect((await older.executeTakeFirstOrThrow()).numInsertedOrUpdatedRows).toBe(0n)
  expect((await insert.orIgnore().executeTakeFirstOrThrow()).numInsertedOrUpdatedRows).toBe(0n)
})

test('S4: reports no counts for reads and DDL, whatever ran before', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 2)
  for (const statement of [
    db.schema.createTable('other').addColumn('id', 'integer'),
    db.schema.alterTable('other').addColumn('more', 'varchar'),
    db.schema.createIndex('other_id').on('other').column('id'),
    db.schema.dropTable('other'),
  ])
    expect(await result(db, statement)).toEqual({ rows: [] })
  expect(await result(db, db.selectFrom('person').select('id').where('id', '=', 1))).toEqual({
    rows: [{ id: 1 }],
  })
})

test('counts the rows of MERGE, CREATE TABLE AS and COPY', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  const merge = db
    .mergeInto('person')
    .using('pet', 'pet.name', 'person.name')
    .whenMatched()
    .thenUpdateSet({ age: 1 })
    .whenNotMatched()
    .thenInsertValues((eb) => ({ id: 100, name: eb.ref('pet.name') }))
  expect(await result(db, merge)).toEqual({ rows: [], numAffectedRows: 0n })
  await sql`insert into pet (name, owner_id) values ('person 1', 1), ('somebody', 1)`.execute(db)
  expect((await merge.executeTakeFirstOrThrow()).numChangedRows).toBe(2n)

  const create = db.schema.createTable('copy').as(db.selectFrom('person').selectAll())
  expect(await result(db, create)).toMatchObject({ numAffectedRows: 4n })
  const csv = temporaryFile('person.csv')
  const copy = await sql`copy person to ${sql.lit(csv)}`.execute(db)
  expect(copy.numAffectedRows).toBe(4n)
  writeFileSync(csv, readFileSync(csv, 'utf8').split('\n').slice(0, 3).join('\n'))
  const back = await sql`copy copy from ${sql.lit(csv)}`.execute(db)
  expect(back.numAffectedRows).toBe(2n)
})

test('counts a column or an alias called "count" as nothing but a column', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  const count = db.selectFrom('person').select((eb) => eb.fn.countAll<number>().as('count'))
  expect(await result(db, count)).toEqual({ rows: [{ count: 3 }] })
  const text = sql`select 'x' as "Count"`
  expect(await text.execute(db)).toEqual({ rows: [{ Count: 'x' }] })
  const inserted = db.insertInto('person').values({ name: 'Ada', age: 7 })
  expect(await result(db, inserted.returning('age as count'))).toEqual({
    rows: [{ count: 7 }],
    numAffectedRows: 1n,
  })
})

test('S13: refuses to round an integer, and reads it exactly where the int64 option says so', async () => {
  const path = file()
  const big = sql<{ big: unknown }>`select 9007199254740993 as big`
  const db = kysely({ path })
  const error = await rejection(big.execute(db))
  expect(error).toMatchObject({ code: 'INT64_RANGE', column: 'big' })
  expect((await big.execute(kysely({ path, int64: 'bigint' }))).rows).toEqual([
    { big: 9007199254740993n },
  ])
  expect((await big.execute(kysely({ path, int64: 'string' }))).rows).toEqual([
    { big: '9007199254740993' },
  ])
})

test('S14: binds what JavaScript has, and names what it cannot bind', async () => {
  const db = kysely()
  const moment = new Date('2026-11-20T10:00:00.000Z')
  const { rows } =
    await sql`select ${true} as yes, ${moment}::timestamp as moment, ${undefined} as absent, ${new Uint8Array([1, 2])} as bytes, ${[1, 2]} as list, ${123n} as big`.execute(
      db,
    )
  expect(rows).toEqual([
    {
      yes: true,
      moment: '2026-11-20 10:00:00',
      absent: null,
      bytes: Buffer.from([1, 2]),
      list: [1, 2],
      big: 123,
    },
  ])
  const error = await rejection(sql`select ${Symbol('mine')} as symbol`.execute(db))
  expect(error).toMatchObject({ name: 'ParameterError' })
})

test('S15: takes as many parameters as there are', async () => {
  const db = await kyselyWithTables()
  const rows = Array.from({ length: 5000 }, (_, index) => ({ name: `person ${index}`, age: index }))
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('person')
    .values(rows)
    .executeTakeFirstOrThrow()
  expect(numInsertedOrUpdatedRows).toBe(5000n)
})

test('numbers its parameters, so that one query can be compiled and run again', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  const compiled = db
    .selectFrom('person')
    .select('id')
    .where('name', '=', 'person 2')
    .where('age', '>', 0)
    .compile()
  expect(compiled.sql).toBe('select "id" from "person" where "name" = $1 and "age" > $2')
  expect((await db.executeQuery(compiled)).rows).toEqual([{ id: 2 }])
  expect((await db.executeQuery({ ...compiled, parameters: ['person 3', 0] })).rows).toEqual([
    { id: 3 },
  ])
})

// https://github.com/duckdb/duckdb/issues/23704: DuckDB plans by what is in the tables when it prepares.
test('a query that is run again sees what was written since, with parameters and without', async () => {
  const db = await kyselyWithTables({ path: file(), pool: { max: 1 } })
  const grown = sql<{ name: string }>`select name from person where age > 100 order by id`
  const found = async () => ({
    all: await names(db),
    grown: (await grown.execute(db)).rows.map(({ name }) => name),
    young: (await sql<{ n: number }>`select count(*) as n from person where age < 100`.execute(db))
      .rows[0]!.n,
    known: await collect(
      db.selectFrom('person').select('id').where('age', 'is not', null).stream(),
    ),
  })
  expect(await found()).toEqual({ all: [], grown: [], young: 0, known: [] })
  await db.insertInto('person').values({ name: 'autocommit', age: 5 }).execute()
  expect(await found()).toEqual({
    all: ['autocommit'],
    grown: [],
    young: 1,
    known: [{ id: 1 }],
  })
  await db
    .insertInto('person')
    .values([
      { name: 'a name that is longer than the others', age: 5000 },
      { name: 'x', age: null },
    ])
    .execute()
  expect(await found()).toEqual({
    all: ['autocommit', 'a name that is longer than the others', 'x'],
    grown: ['a name that is longer than the others'],
    young: 1,
    known: [{ id: 1 }, { id: 2 }],
  })
})

test('the error of a query is the one that DuckDB gave, and is described', async () => {
  const db = await kyselyWithTables()
  await db.insertInto('person').values({ id: 1, name: 'Ada' }).execute()
  const error = await rejection(db.insertInto('person').values({ id: 1, name: 'again' }).execute())
  expect(error.message).toMatch(/Duplicate key "id: 1" violates primary key constraint/)
  expect(await names(db)).toEqual(['Ada'])
})
