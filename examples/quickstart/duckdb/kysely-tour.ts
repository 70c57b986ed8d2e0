import type { Kysely } from 'kysely'
import { airport, type Drizzle as Airports } from '../sqlite/schema.ts'
import { number, print, printTable, withProgress } from '../terminal.ts'
import type { Database } from './schema.ts'

/** Fills one table from the other inside DuckDB: no row passes through JavaScript. */
export async function sumUpRoutes(kysely: Kysely<Database>): Promise<void> {
  const { numInsertedOrUpdatedRows: count } = await kysely
    .insertInto('route')
    .columns(['origin', 'destination', 'flights', 'delay'])
    .expression((eb) =>
      eb
        .selectFrom('flight')
        .select(({ fn }) => [
          'origin',
          'destination',
          fn.countAll<number>().as('flights'),
          fn.avg<number>('delay').as('delay'),
        ])
        .groupBy(['origin', 'destination']),
    )
    .executeTakeFirstOrThrow()

  const busiest = await kysely
    .selectFrom('route')
    .selectAll()
    .orderBy('flights', 'desc')
    .limit(5)
    .execute()
  print(`The busiest of ${number(Number(count))} routes:`)
  printTable(
    ['from', 'to', 'flights', 'mean delay in minutes'],
    busiest.map(({ origin, destination, flights, delay }) => [origin, destination, flights, delay]),
  )
}

/** DuckDB knows the flights and SQLite the airports: a map by code brings them together. */
export async function showLateAirports(kysely: Kysely<Database>, drizzle: Airports): Promise<void> {
  const origins = await kysely
    .selectFrom('flight')
    .select(({ fn }) => [
      'origin as iata',
      fn.countAll<number>().as('flights'),
      fn.countAll<number>().filterWhere('delay', '>', 60).as('late'),
    ])
    .groupBy('origin')
    .orderBy('flights', 'desc')
    .execute()
  const airports = new Map((await drizzle.select().from(airport)).map((row) => [row.iata, row]))

  const known = origins.filter(({ iata }) => airports.has(iata))
  print(
    `SQLite knows ${known.length} of ${origins.length} airports. The busiest, and the share of late flights:`,
  )
  printTable(
    ['airport', 'name', 'state', 'flights', '% over 1 h'],
    known.slice(0, 5).map(({ iata, flights, late }) => {
      const { name, state } = airports.get(iata)!
      return [iata, name, state, flights, (late / flights) * 100]
    }),
  )
}

/** Counts rows into bins, in the chunks of 2,048 that DuckDB delivers: only what is asked for is in memory. */
export async function showDelays(kysely: Kysely<Database>): Promise<void> {
  const { total } = await kysely
    .selectFrom('flight')
    .select(({ fn }) => fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  const flights = kysely.selectFrom('flight').select('delay')

  const limits = [-15, 0, 15, 60, 180, Infinity]
  const bins = limits.map(() => 0)
  const start = performance.now()
  for await (const { delay } of withProgress(flights.stream(2048), total)) {
    bins[limits.findIndex((limit) => delay < limit)]! += 1
  }
  const rowsPerSecond = total / ((performance.now() - start) / 1000)

  const labels = ['under -15', '-15 to 0', '0 to 15', '15 to 60', '60 to 180', 'from 180']
  printTable(
    ['minutes late', 'flights', ''],
    bins.map((count, i) => [labels[i]!, count, '█'.repeat(Math.round((count / total) * 100))]),
  )
  const { maxRSS } = process.resourceUsage()
  print(`${number(rowsPerSecond)} rows per second`)
  print(`${number(maxRSS / 1024)} MB at most for Node and both databases`)
}
