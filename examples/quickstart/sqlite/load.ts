import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import type { SqliteDatabase } from '@keelson/sqlite'
import { parse } from 'csv-parse'
import { sql, type Kysely } from 'kysely'
import { tables, zip, type airport, type Database, type Drizzle } from './schema.ts'
import { number, print, printTable } from '../terminal.ts'

/** Fills one table through Kysely and the other through Drizzle, each in one transaction. */
export async function loadAirports(
  database: SqliteDatabase,
  kysely: Kysely<Database>,
  drizzle: Drizzle,
): Promise<void> {
  for (const statement of tables) await database.execute(statement)

  let airports = 0
  await kysely.transaction().execute(async (trx) => {
    for await (const rows of read<typeof airport.$inferInsert>('airports.csv')) {
      const result = await trx.insertInto('airport').values(rows).executeTakeFirstOrThrow()
      airports += Number(result.numInsertedOrUpdatedRows)
    }
  })

  let zips = 0
  await drizzle.transaction(async (tx) => {
    for await (const rows of read<typeof zip.$inferInsert>('zipcodes.csv')) {
      const result = await tx.insert(zip).values(rows)
      zips += result.changes
    }
  })

  printTable(
    ['file', 'rows inserted', 'through'],
    [
      ['airports.csv', airports, 'Kysely'],
      ['zipcodes.csv', zips, 'Drizzle'],
    ],
  )
  print('No code came twice: the primary keys took every row.')
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

/** Reads a file of the npm package vega-datasets in batches; each becomes one insert of at most 4,000 parameters. */
async function* read<Row>(file: string, batchRows = 500): AsyncGenerator<Row[]> {
  const path = new URL(`../data/${file}`, import.meta.resolve('vega-datasets'))
  const parser = parse({
    columns: (names) => names.map((name) => (name === 'zip_code' ? 'code' : name)),
    cast: (value, { column }) => {
      if (column === 'latitude' || column === 'longitude') return Number(value)
      return value === 'NA' ? null : value
    },
  })
  let batch: Row[] = []
  // Its callback has nothing to do: the loop throws what the streams throw.
  for await (const row of pipeline(createReadStream(path), parser, () => {})) {
    if (batch.push(row) < batchRows) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
