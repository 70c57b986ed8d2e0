import { count, eq, max, relations, sql, sum } from 'drizzle-orm'
import { customType, integer, numeric, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { SqliteOptions } from '@keelson/sqlite'
import { drizzle, stream } from '@keelson/sqlite/drizzle'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection, temporaryFile } from './fixture.ts'

const exact = 9007199254740993n

/** Decodes whatever the policy delivers, and remembers what that was. */
const int64 = customType<{ data: { delivered: unknown }; driverData: unknown }>({
  dataType: () => 'integer',
  fromDriver: (delivered) => ({ delivered }),
})

const owners = sqliteTable('owners', {
  id: integer().primaryKey(),
  plain: integer(),
  flag: integer({ mode: 'boolean' }),
  at: integer({ mode: 'timestamp' }),
  atMs: integer('at_ms', { mode: 'timestamp_ms' }),
  ratio: real(),
  amount: numeric(),
  amountNumber: numeric('amount_number', { mode: 'number' }),
  amountBig: numeric('amount_big', { mode: 'bigint' }),
  label: text(),
  custom: int64(),
})
const things = sqliteTable('things', {
  id: integer().primaryKey(),
  ownerId: integer('owner_id'),
  size: integer(),
  custom: int64(),
})
const ownersRelations = relations(owners, ({ many }) => ({ things: many(things) }))
const thingsRelations = relations(things, ({ one }) => ({
  owner: one(owners, { fields: [things.ownerId], references: [owners.id] }),
}))

async function open(policy: NonNullable<SqliteOptions['int64']>) {
  const db = drizzle({
    connection: { path: temporaryFile(), int64: policy },
    schema: { owners, things, ownersRelations, thingsRelations },
  })
  onTestFinished(() => db.$client.close().then(() => {}))
  await db.run(sql`create table owners (id integer primary key, plain integer, flag integer, at integer, at_ms integer,
    ratio real, amount numeric, amount_number numeric, amount_big numeric, label text, custom integer)`)
  await db.run(
    sql`create table things (id integer primary key, owner_id integer, size integer, custom integer)`,
  )
  await db.run(sql`insert into owners values (1, 42, 1, 60, 60000, 0.5, 7, 8, ${exact}, '12', 5)`)
  await db.run(sql`insert into things values (1, 1, 3, 6), (2, 1, null, null)`)
  return db
}

const decoded = {
  id: 1,
  plain: 42,
  flag: true,
  at: new Date(60_000),
  atMs: new Date(60_000),
  ratio: 0.5,
  amount: '7',
  amountNumber: 8,
  amountBig: exact,
  label: '12',
}
const delivered = { number: 5, lossyNumber: 5, bigint: 5n, string: '5' }

describe.for(['number', 'lossyNumber', 'bigint', 'string'] as const)(
  'under int64: %s',
  (policy) => {
    test('columns of numbers, dates and booleans are decoded right, and other columns get what was asked for', async () => {
      const db = await open(policy)
      const row = { ...decoded, custom: { delivered: delivered[policy] } }
      expect(await db.select().from(owners)).toEqual([row])
      expect(await db.select().from(owners).get()).toEqual(row)
      expect(await db.update(owners).set({ label: '12' }).returning()).toEqual([row])
      for await (const streamed of stream(db, db.select().from(owners)))
        expect(streamed).toEqual(row)
    })

    test('they are in joins, nested selections, expressions and subqueries', async () => {
      const db = await open(policy)
      const inner = db
        .select({ at: owners.at, size: sql`1`.mapWith(things.size).as('inner_size') })
        .from(owners)
        .as('inner')
      expect(
        await db
          .select({
            owner: { flag: owners.flag },
            thing: things.size,
            latest: max(owners.at),
            inner: { at: inner.at, size: inner.size },
          })
          .from(owners)
          .leftJoin(things, eq(things.ownerId, owners.id))
          .leftJoin(inner, sql`true`)
          .where(eq(things.id, 1)),
      ).toEqual([
        { owner: { flag: true }, thing: 3, latest: decoded.at, inner: { at: decoded.at, size: 1 } },
      ])
      const size = db.select({ size: things.size }).from(things).where(eq(things.id, 1)).as('one')
      expect(await db.select({ size }).from(owners)).toEqual([{ size: 3 }])
    })

    test('they are in relational queries, at every depth', async () => {
      const db = await open(policy)
      const owner = await db.query.owners.findFirst({
        columns: { custom: false },
        with: {
          things: {
            columns: { size: true },
            with: { owner: { columns: { at: true, flag: true } } },
          },
        },
      })
      expect(owner).toEqual({
        ...decoded,
        things: [
          { size: 3, owner: { at: decoded.at, flag: true } },
          { size: null, owner: { at: decoded.at, flag: true } },
        ],
      })
      expect(
        await db.query.things.findFirst({
          columns: { id: true },
          with: { owner: { columns: { plain: true } } },
        }),
      ).toEqual({
        id: 1,
        owner: { plain: 42 },
      })
    })

    test('counts are numbers', async () => {
      const db = await open(policy)
      expect(await db.$count(things)).toBe(2)
      expect(await db.select({ n: count() }).from(things)).toEqual([{ n: 2 }])
      expect(await db.select({ total: sum(things.size) }).from(things)).toEqual([{ total: '3' }])
    })
  },
)

describe('an integer that no number holds', () => {
  const big = sql`update owners set custom = ${exact}`
  const bigPlain = sql`update owners set plain = ${exact}`

  test('arrives as a bigint or text under that policy, and is an error under the default', async () => {
    const custom = { custom: owners.custom }
    for (const [policy, value] of [
      ['bigint', exact],
      ['string', `${exact}`],
      ['lossyNumber', Number(exact)],
    ] as const) {
      const db = await open(policy)
      await db.run(big)
      expect(await db.select(custom).from(owners)).toEqual([{ custom: { delivered: value } }])
      expect(await db.query.owners.findFirst({ columns: { custom: true } })).toEqual({
        custom: { delivered: value },
      })
    }
    const db = await open('number')
    await db.run(big)
    for (const query of [
      db.select(custom).from(owners),
      db.query.owners.findFirst({ columns: { custom: true } }),
    ]) {
      expect(await rejection(query)).toMatchObject({
        code: 'INT64_RANGE',
        column: 'custom',
        value: exact,
      })
    }
  })

  test('is an error in a column of numbers, also under bigint and string', async () => {
    for (const policy of ['number', 'bigint', 'string'] as const) {
      const db = await open(policy)
      await db.run(bigPlain)
      for (const query of [
        db.select({ renamed: owners.plain }).from(owners),
        db.query.owners.findFirst({ columns: { plain: true } }),
      ]) {
        expect(await rejection(query)).toMatchObject({
          name: 'Int64RangeError',
          column: 'plain',
          value: exact,
        })
      }
    }
  })

  test('is told from other columns by selections of the same shape', async () => {
    const db = await open('bigint')
    expect(await db.select({ value: owners.custom }).from(owners)).toEqual([
      { value: { delivered: 5n } },
    ])
    expect(await db.select({ value: owners.label }).from(owners)).toEqual([{ value: '12' }])
    expect(await db.select({ value: owners.plain }).from(owners)).toEqual([{ value: 42 }])
    await db.run(sql`update owners set plain = ${exact}, at = ${exact}`)
    for (const column of ['plain', 'at'] as const) {
      expect(await rejection(db.select({ value: owners[column] }).from(owners))).toMatchObject({
        column,
      })
    }
  })

  test('keeps its digits in the JSON of a relation, where JSON.parse would round it', async () => {
    const related = {
      columns: { id: true },
      with: { things: { columns: { custom: true } } },
    } as const
    for (const [policy, value] of [
      ['bigint', exact],
      ['string', `${exact}`],
      ['lossyNumber', Number(exact)],
    ] as const) {
      const db = await open(policy)
      await db.run(sql`update things set custom = ${exact} where id = 1`)
      expect(await db.query.owners.findFirst(related)).toEqual({
        id: 1,
        things: [{ custom: { delivered: value } }, { custom: null }],
      })
    }
    const db = await open('number')
    await db.run(sql`update things set custom = ${exact} where id = 1`)
    expect(await rejection(db.query.owners.findFirst(related))).toMatchObject({
      code: 'INT64_RANGE',
      column: 'things.custom',
      value: exact,
    })
  })

  test('keeps its digits in a relation of a relation, to one and to many', async () => {
    const db = await open('bigint')
    await db.run(big)
    const [thing] = await db.query.things.findMany({
      columns: { id: true },
      with: {
        owner: {
          columns: { custom: true },
          with: {
            things: { columns: { id: true }, with: { owner: { columns: { custom: true } } } },
          },
        },
      },
    })
    const owner = { custom: { delivered: exact } }
    expect(thing).toEqual({
      id: 1,
      owner: { ...owner, things: [1, 2].map((id) => ({ id, owner })) },
    })

    const strict = await open('number')
    await strict.run(big)
    const nested = {
      with: { owner: { with: { things: { with: { owner: { columns: { custom: true } } } } } } },
    } as const
    expect(await rejection(strict.query.things.findMany(nested))).toMatchObject({
      code: 'INT64_RANGE',
    })
  })

  test('in a column of numbers of a relation is an error, and a large REAL or text is not', async () => {
    const db = await open('bigint')
    await db.run(sql`update things set size = ${exact} where id = 1`)
    const sizes = { columns: { id: true }, with: { things: { columns: { size: true } } } } as const
    expect(await rejection(db.query.owners.findFirst(sizes))).toMatchObject({
      code: 'INT64_RANGE',
      column: 'things.size',
    })

    const strict = await open('number')
    await strict.run(sql`update owners set ratio = 1e17, label = '{"n":9007199254740993}'`)
    expect(
      await strict.query.things.findFirst({
        columns: { id: true },
        with: { owner: { columns: { ratio: true, label: true } } },
      }),
    ).toEqual({ id: 1, owner: { ratio: 1e17, label: '{"n":9007199254740993}' } })
  })
})
