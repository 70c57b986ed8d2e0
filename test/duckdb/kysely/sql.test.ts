import { sql, type Kysely } from 'kysely'
import { jsonArrayFrom, jsonObjectFrom } from 'kysely/helpers/sqlite'
import { expect, test } from 'vitest'
import { addPersons, kysely, kyselyWithTables, names } from './fixture.ts'

interface Documents {
  document: { id: number; data: Record<string, unknown> }
}

async function documents(...data: object[]): Promise<Kysely<Documents>> {
  const db = kysely<Documents>()
  await db.schema
    .createTable('document')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('data', 'json')
    .execute()
  await db
    .insertInto('document')
    .values(data.map((each, index) => ({ id: index + 1, data: JSON.stringify(each) as never })))
    .execute()
  return db
}

test('a JSON reference means the same wherever it stands', async () => {
  const db = await documents({ a: 'x', n: { b: 5 }, l: [10, 20] }, { a: 'y' })
  const a = (eb: any) => eb.ref('data', '->>').key('a')
  const ids = async (where: (eb: any) => any) =>
    (await db.selectFrom('document').select('id').where(where).orderBy('id').execute()).map(
      ({ id }) => id,
    )
  expect(await ids((eb) => eb(a(eb), '=', 'y'))).toEqual([2])
  expect(await ids((eb) => eb.and([eb('id', '=', 2), eb(a(eb), '=', 'y')]))).toEqual([2])
  expect(await ids((eb) => eb.not(eb(a(eb), '=', 'x')))).toEqual([2])
  expect(await ids((eb) => eb(eb.val('x'), '=', a(eb)))).toEqual([1])
  const inside = await db
    .selectFrom('document')
    .select((eb) => [
      eb
        .ref('data', '->')
        .key('n' as never)
        .key('b' as never)
        .as('b'),
      eb
        .ref('data', '->')
        .key('l' as never)
        .at(1 as never)
        .as('l'),
      eb
        .ref('data', '->$')
        .key('n' as never)
        .key('b' as never)
        .as('path'),
    ])
    .orderBy((eb) => a(eb))
    .execute()
  expect(inside).toEqual([
    { b: 5, l: 20, path: 5 },
    { b: null, l: null, path: null },
  ])
})

test.each([
  "it's",
  'q"q',
  'back\\slash',
  'end\\',
  '\\"',
  'a b',
  'c.d',
  '[0]',
  "'); drop table document; --",
])('a JSON path finds the key %s and no other', async (key) => {
  const db = await documents({ [key]: 'right', other: 'wrong', x: { y: 1 } })
  const { value } = await db
    .selectFrom('document')
    .select((eb) =>
      eb
        .ref('data', '->$')
        .key(key as never)
        .as('value'),
    )
    .executeTakeFirstOrThrow()
  expect(value).toBe('right')
})

test('a subquery with a limit may refer to the row that a write changes', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 2)
  await sql`create table visit (person_id integer, place varchar)`.execute(db)
  await sql`insert into visit values (1, 'a'), (1, 'b')`.execute(db)
  const visits = (eb: any) =>
    eb.selectFrom('visit').whereRef('visit.person_id', '=', 'person.id').select('visit.place')
  await db
    .updateTable('person')
    .set((eb) => ({ name: visits(eb).orderBy('visit.place').limit(1).offset(1) }))
    .where('id', '=', 1)
    .execute()
  expect(await names(db)).toEqual(['b', 'person 2'])
  await db
    .deleteFrom('person')
    .where((eb) => eb.not(eb.exists(visits(eb).limit(1))))
    .execute()
  expect(await names(db)).toEqual(['b'])
})

test('INSERT OR IGNORE and OR REPLACE do what they do elsewhere', async () => {
  const db = kysely<{ item: { id: number; name: string } }>()
  await sql`create table item (id integer primary key, name varchar)`.execute(db)
  const insert = (name: string) => db.insertInto('item').values({ id: 1, name })
  await insert('first').execute()
  expect(
    (await insert('ignored').orIgnore().executeTakeFirstOrThrow()).numInsertedOrUpdatedRows,
  ).toBe(0n)
  expect(await db.selectFrom('item').select('name').execute()).toEqual([{ name: 'first' }])
  await insert('replaced').orReplace().execute()
  expect(await db.selectFrom('item').select('name').execute()).toEqual([{ name: 'replaced' }])
})

test("nests rows with Kysely's JSON helpers for SQLite, whose functions DuckDB has", async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 2)
  await sql`insert into pet (name, owner_id) values ('Cat', 1), ('Dog', 1)`.execute(db)
  const query = db
    .selectFrom('person')
    .select((eb) => {
      const pets = eb
        .selectFrom('pet')
        .select('pet.name')
        .whereRef('pet.owner_id', '=', 'person.id')
        .orderBy('pet.id')
      return [
        'name',
        jsonArrayFrom(pets).as('pets'),
        jsonObjectFrom(pets.limit(1).offset(1)).as('second'),
      ]
    })
    .orderBy('person.id')
    .limit(10)
  // A limit in a subquery that refers to the query around it must be a constant.
  expect(query.compile().sql).toMatch(/limit 1 offset 1\) as obj\) as "second".* limit \$1$/)
  expect(await query.execute()).toEqual([
    { name: 'person 1', pets: [{ name: 'Cat' }, { name: 'Dog' }], second: { name: 'Dog' } },
    { name: 'person 2', pets: [], second: null },
  ])
})

test('takes the parts of SQL that PostgreSQL and DuckDB share', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 4)
  await sql`insert into pet (name, owner_id) values ('Cat', 1), ('Dog', 2)`.execute(db)
  const distinct = db.selectFrom('person').distinctOn('age').select('id').orderBy('age')
  expect(await distinct.execute()).toHaveLength(4)
  const updated = await db
    .updateTable('person')
    .from('pet')
    .whereRef('pet.owner_id', '=', 'person.id')
    .set((eb) => ({ age: eb.fn<number>('length', ['pet.name']) }))
    .executeTakeFirstOrThrow()
  expect(updated.numUpdatedRows).toBe(2n)
  const deleted = await db
    .deleteFrom('pet')
    .using('person')
    .whereRef('pet.owner_id', '=', 'person.id')
    .where('person.name', '=', 'person 1')
    .executeTakeFirstOrThrow()
  expect(deleted.numDeletedRows).toBe(1n)
  const recursive = await db
    .withRecursive('n(i)', (qc) =>
      qc.selectNoFrom(sql<number>`1`.as('i')).unionAll(
        qc
          .selectFrom('n')
          .select((eb) => eb('i', '+', 1).as('i'))
          .where('i', '<', 3),
      ),
    )
    .selectFrom('n')
    .select('i')
    .execute()
  expect(recursive).toEqual([{ i: 1 }, { i: 2 }, { i: 3 }])
  const ranked = await db
    .selectFrom('person')
    .select((eb) =>
      eb.fn
        .agg<number>('rank')
        .over((over) => over.orderBy('age', 'desc'))
        .as('rank'),
    )
    .where('name', 'ilike', 'PERSON%')
    .orderBy('rank')
    .execute()
  expect(ranked).toEqual([{ rank: 1 }, { rank: 1 }, { rank: 1 }, { rank: 4 }])
  const plan = await db.selectFrom('person').selectAll().explain('json')
  expect(plan).toMatchObject([{ explain_key: 'physical_plan' }])
})
