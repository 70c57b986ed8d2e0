import { describeError, TransactionAbortedError } from '@keelson/core'
import { and, desc, gt, gte, lt } from 'drizzle-orm'
import { minute, number, print, printTable, printText } from '../terminal.ts'
import { flight, route, type Drizzle } from './schema.ts'

export async function showWorstDelays(drizzle: Drizzle): Promise<void> {
  // A TIMESTAMP has no time zone: Drizzle takes it for UTC, in both directions.
  const inJune = and(
    gte(flight.date, new Date('2001-06-01T00:00Z')),
    lt(flight.date, new Date('2001-07-01T00:00Z')),
  )
  const flights = await drizzle
    .select()
    .from(flight)
    .where(inJune)
    .orderBy(desc(flight.delay))
    .limit(5)
  print('The longest delays in June:')
  printTable(
    ['departure', 'from', 'to', 'miles', 'minutes late'],
    flights.map(({ date, origin, destination, distance, delay }) => [
      minute(date),
      origin,
      destination,
      distance,
      delay,
    ]),
  )

  const all = await drizzle.$count(flight, inJune)
  const late = await drizzle.$count(flight, and(inJune, gt(flight.delay, 180)))
  print(`${number(late)} of ${number(all)} flights in June were over 3 hours late.`)
}

/**
 * DuckDB has no savepoints: where SQLite loses a nested step, it loses the whole transaction. The first one here catches
 * the error of a statement, which saves nothing, and is told so by the commit; the second one avoids the error.
 */
export async function failTransaction(drizzle: Drizzle): Promise<void> {
  const rare = lt(route.flights, 10)
  const again = { origin: 'LAX', destination: 'LAS', flights: 1, delay: 0 }

  let deleted = 0
  await drizzle
    .transaction(async (tx) => {
      await tx
        .transaction(async (nested) => nested.delete(route))
        .catch((error: unknown) => print(`A nested step is refused: ${describeError(error).code}`))

      const result = await tx.delete(route).where(rare)
      deleted = result.rowCount!
      await tx
        .insert(route)
        .values(again)
        .catch((error: unknown) => print(`The same route again: ${describeError(error).message}`))
    })
    .catch((error: unknown) => {
      if (!(error instanceof TransactionAbortedError)) throw error
      printText(`The commit: ${error.message}`)
    })
  const leftByFirst = await drizzle.$count(route)

  const { rowCount } = await drizzle.transaction(async (tx) => {
    const result = await tx.delete(route).where(rare)
    await tx.insert(route).values(again).onConflictDoNothing()
    return result
  })
  const leftBySecond = await drizzle.$count(route)

  printTable(
    ['what it did with the same route', 'rare routes deleted', 'routes left'],
    [
      ['insert, then catch the error', deleted, leftByFirst],
      ['insert, on conflict do nothing', rowCount, leftBySecond],
    ],
  )
}
