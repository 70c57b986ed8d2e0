import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { bulkInsert as bulkInsertDrizzle } from '@keelson/bulk-insert/drizzle'
import { bulkInsert as bulkInsertKysely, type BulkInsertReport } from '@keelson/bulk-insert/kysely'
import type { SqliteDatabase } from '@keelson/sqlite'
import BetterSqlite3 from 'better-sqlite3'
import { parse } from 'csv-parse'
import { sql as sqlOfDrizzle } from 'drizzle-orm'
import { drizzle as plainDrizzleOn } from 'drizzle-orm/better-sqlite3'
import { Kysely, sql, SqliteDialect } from 'kysely'
import { z } from 'zod'
import { tables, zip, type Database, type Drizzle } from './schema.ts'
import { number, print, printTable } from '../terminal.ts'

/** Fills one table through Kysely and the other through Drizzle; a thousand rows of each file come a second time. */
export async function loadAirports(
  database: SqliteDatabase,
  kysely: Kysely<Database>,
  drizzle: Drizzle,
): Promise<void> {
  for (const statement of tables) await database.execute(statement)

  const airports = await bulkInsertKysely(kysely, 'airport', withRepetition(read('airports.csv')), {
    validate: z.object({ ...place, iata: z.string(), name: z.string(), country: z.string() }),
    onConflict: { target: 'iata', update: 'all' },
  })
  const zips = await bulkInsertDrizzle(drizzle, zip, withRepetition(read('zipcodes.csv')), {
    validate: z.object({
      ...place,
      code: z.string(),
      city: z.string(),
      state: z.string(),
      county: z.string(),
    }),
    onConflict: { target: 'code', update: 'all' },
  })
  const plain = { airports: await plainKysely(), zips: await plainDrizzle() }

  printTable(
    ['file', 'through', 'attempted', 'inserted', 'updated', 'alone it says'],
    [
      ['airports.csv', 'Kysely', ...countsOf(airports), plain.airports],
      ['zipcodes.csv', 'Drizzle', ...countsOf(zips), plain.zips],
    ],
  )
  print('What an ORM counts by itself is inserted and updated rows together.')
}

const place = {
  city: z.string().nullable(),
  state: z.string().nullable(),
  latitude: z.number(),
  longitude: z.number(),
}

function countsOf({ attempted, inserted, updated }: BulkInsertReport): number[] {
  return [attempted, inserted!, updated!]
}

/** What people write by hand, since one statement cannot have them all. */
async function* inChunks(rows: AsyncIterable<unknown>): AsyncGenerator<unknown[]> {
  let some: unknown[] = []
  for await (const row of rows) {
    if (some.push(row) < 500) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}

/** The same upserts by Kysely's own driver, added up from what it tells of each. */
async function plainKysely(): Promise<number> {
  const raw = new BetterSqlite3(':memory:')
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: raw }) })
  for (const statement of tables) raw.exec(statement)
  let rows = 0
  for await (const some of inChunks(withRepetition(read('airports.csv')))) {
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('airport')
      .values(some as never[])
      .onConflict((clause) =>
        clause.column('iata').doUpdateSet({ name: (eb) => eb.ref('excluded.name') }),
      )
      .executeTakeFirstOrThrow()
    rows += Number(numInsertedOrUpdatedRows)
  }
  await db.destroy()
  return rows
}

/** The same by Drizzle's own driver. */
async function plainDrizzle(): Promise<number> {
  const raw = new BetterSqlite3(':memory:')
  const db = plainDrizzleOn(raw)
  for (const statement of tables) raw.exec(statement)
  let rows = 0
  for await (const some of inChunks(withRepetition(read('zipcodes.csv')))) {
    const { changes } = db
      .insert(zip)
      .values(some as never[])
      .onConflictDoUpdate({ target: zip.code, set: { city: sqlOfDrizzle`excluded.city` } })
      .run()
    rows += changes
  }
  raw.close()
  return rows
}

/** Puts right what is certain, and says what is not. */
export async function repairAirports(kysely: Kysely<Database>): Promise<void> {
  // Guam and the Northern Marianas are in the east, American Samoa is in the south: the file lost the sign.
  const east = await kysely
    .updateTable('airport')
    .set((eb) => ({ longitude: eb.neg('longitude') }))
    .where('state', 'in', ['GU', 'CQ'])
    .executeTakeFirstOrThrow()
  const south = await kysely
    .updateTable('airport')
    .set((eb) => ({ latitude: eb.neg('latitude') }))
    .where('state', '=', 'AS')
    .executeTakeFirstOrThrow()

  const found = await kysely
    .with('crowd', (qc) =>
      qc
        .selectFrom('zip')
        .select(({ fn }) => fn.countAll().as('zips'))
        .groupBy(['latitude', 'longitude'])
        .having(({ fn }) => fn.countAll(), '>', 1),
    )
    .selectNoFrom([
      sql<number>`(select count(*) from airport where state is null)`.as('stateless'),
      sql<number>`(select count(*) from zip where code like '0%')`.as('zeros'),
      sql<number>`(select count(*) from crowd)`.as('points'),
      sql<number>`(select sum(zips) from crowd)`.as('crowded'),
    ])
    .executeTakeFirstOrThrow()

  printTable(
    ['rows', 'found', 'done'],
    [
      [
        Number(east.numUpdatedRows + south.numUpdatedRows),
        'airports on the wrong side of the globe',
        'sign put right',
      ],
      [found.stateless, 'airports with "NA" for city and state', 'stored as NULL'],
      [found.zeros, 'ZIP codes that begin with 0', 'kept, as text'],
      [
        found.crowded,
        `ZIP codes that share ${number(found.points)} points`,
        'not related: too vague',
      ],
    ],
  )
}

/** Reads a file of the npm package vega-datasets; whoever takes the rows says how fast. */
async function* read(file: string): AsyncGenerator<unknown> {
  const path = new URL(`../data/${file}`, import.meta.resolve('vega-datasets'))
  const parser = parse({
    columns: (names) => names.map((name) => (name === 'zip_code' ? 'code' : name)),
    cast: (value, { column }) => {
      if (column === 'latitude' || column === 'longitude') return Number(value)
      return value === 'NA' ? null : value
    },
  })
  // Its callback has nothing to do: the loop throws what the streams throw.
  yield* pipeline(createReadStream(path), parser, () => {})
}

/** All rows, and the first thousand again. */
async function* withRepetition(rows: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const first: unknown[] = []
  for await (const row of rows) {
    if (first.length < 1_000) first.push(row)
    yield row
  }
  yield* first
}
