import { bulkInsert as onDrizzle } from '@keelson/bulk-insert/drizzle'
import { type BulkInsertReport, bulkInsert as onKysely } from '@keelson/bulk-insert/kysely'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Generated, Kysely, Transaction } from 'kysely'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'

interface Tables {
  flight: { id: Generated<number>; origin: string; seats: number | null }
  plane: { name: string }
}

declare const db: Kysely<Tables>
declare const trx: Transaction<Tables>

const flights = sqliteTable('flight', {
  id: integer().primaryKey(),
  origin: text().notNull(),
  at: integer({ mode: 'timestamp' }),
})

test('Kysely: the table is one of the database, and the rows are its rows', () => {
  const never = (): unknown[] => [
    onKysely(db, 'flight', [{ origin: 'a' }, { id: 1, origin: 'b', seats: null }]),
    onKysely(trx, 'plane', new Set([{ name: 'a' }])),
    // @ts-expect-error there is no such table
    onKysely(db, 'fligth', [{ origin: 'a' }]),
    // @ts-expect-error origin is missing
    onKysely(db, 'flight', [{ seats: 1 }]),
    // @ts-expect-error seats is a number
    onKysely(db, 'flight', [{ origin: 'a', seats: '1' }]),
    // @ts-expect-error neither iterable nor a stream
    onKysely(db, 'flight', { origin: 'a' }),
    // @ts-expect-error an option that there is not
    onKysely(db, 'flight', [], { onConflct: 'skip' }),
  ]
  expectTypeOf(never).toBeFunction()
  const report = (): Promise<BulkInsertReport<{ name: string }>> => onKysely(db, 'plane', [])
  expectTypeOf(report).toBeFunction()
})

test('Kysely: columns and values in options are those of the table', () => {
  const never = (): unknown[] => [
    onKysely(db, 'flight', [], { onConflict: { target: 'id', update: ['seats'] } }),
    onKysely(db, 'flight', [], { onConflict: { target: ['id', 'origin'], skip: true } }),
    onKysely(db, 'flight', [], {
      onConflict: {
        target: 'id',
        update: (eb) => ({ seats: eb('excluded.seats', '+', 1) }),
        where: (eb) => eb('flight.seats', '>', 1),
      },
    }),
    onKysely(db, 'flight', [], {
      returning: ['id', 'seats'],
      onReturned: (rows, { firstIndex }) => {
        expectTypeOf(rows).toEqualTypeOf<
          readonly Pick<{ id: number; origin: string; seats: number | null }, 'id' | 'seats'>[]
        >()
        expectTypeOf(firstIndex).toBeNumber()
      },
    }),
    onKysely(db, 'flight', [{ anything: 1 }], { validate: z.object({ origin: z.string() }) }),
    // @ts-expect-error no column of the table
    onKysely(db, 'flight', [], { onConflict: { target: 'name', update: 'all' } }),
    // @ts-expect-error no column of the table
    onKysely(db, 'flight', [], { onConflict: { target: 'id', update: ['name'] } }),
    // @ts-expect-error not a number
    onKysely(db, 'flight', [], { onConflict: { target: 'id', update: { seats: 'x' } } }),
    // @ts-expect-error no column of the table
    onKysely(db, 'flight', [], { returning: ['name'], onReturned: () => {} }),
    // @ts-expect-error what the schema delivers is no row
    onKysely(db, 'flight', [{ anything: 1 }], { validate: z.object({ seats: z.number() }) }),
  ]
  expectTypeOf(never).toBeFunction()
})

test('Drizzle: rows, columns and values are those of the table', () => {
  const base = drizzle.mock()
  const never = (): unknown[] => [
    onDrizzle(base, flights, [{ origin: 'a' }, { id: 1, origin: 'b', at: new Date() }]),
    onDrizzle(base, flights, [], {
      onConflict: { target: ['id'], update: (excluded) => ({ origin: excluded.origin }) },
    }),
    onDrizzle(base, flights, [], {
      returning: ['at'],
      onReturned: (rows) =>
        expectTypeOf(rows).toEqualTypeOf<readonly Pick<typeof flights.$inferSelect, 'at'>[]>(),
    }),
    onDrizzle(base, flights, [{ anything: 1 }], { validate: z.object({ origin: z.string() }) }),
    base.transaction((tx) => void onDrizzle(tx, flights, [])),
    // @ts-expect-error origin is missing
    onDrizzle(base, flights, [{ id: 1 }]),
    // @ts-expect-error at is a Date
    onDrizzle(base, flights, [{ origin: 'a', at: 1 }]),
    // @ts-expect-error the name of a table is none
    onDrizzle(base, 'flight', [{ origin: 'a' }]),
    // @ts-expect-error no column of the table
    onDrizzle(base, flights, [], { onConflict: { target: 'name', skip: true } }),
    // @ts-expect-error a Date, or SQL
    onDrizzle(base, flights, [], { onConflict: { target: 'id', update: { at: 5 } } }),
    // @ts-expect-error no column of the table
    onDrizzle(base, flights, [], { returning: ['name'], onReturned: () => {} }),
  ]
  expectTypeOf(never).toBeFunction()
})
