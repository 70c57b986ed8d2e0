import { describeError } from '@keelson/core'
import { stream } from '@keelson/sqlite/drizzle'
import { desc, eq, inArray, isNotNull, sql } from 'drizzle-orm'
import type { Kysely } from 'kysely'
import { airport, zip, type Database, type Drizzle } from './schema.ts'
import { print, printTable, withProgress } from '../terminal.ts'

export async function showRemoteZips(drizzle: Drizzle): Promise<void> {
  const zips = await drizzle.query.zip.findMany({
    columns: { code: true, city: true, state: true, km: true },
    with: { nearest: { columns: { name: true } } },
    orderBy: desc(zip.km),
    limit: 5,
  })
  print('ZIP codes that are farthest from any airport:')
  printTable(
    ['ZIP code', 'city', 'state', 'nearest airport', 'km'],
    zips.map(({ code, city, state, nearest, km }) => [code, city, state, nearest!.name, km]),
  )
  print('The first two are errors of the file, which puts them into the open sea.')
}

/** Counts rows into bins, 500 rows in memory at a time. */
export async function showDistances(drizzle: Drizzle): Promise<void> {
  const related = isNotNull(zip.km)
  const total = await drizzle.$count(zip, related)
  const query = drizzle.select({ km: zip.km }).from(zip).where(related)

  const bins = [0, 0, 0, 0, 0, 0]
  for await (const { km } of withProgress(stream(drizzle, query, { chunkRows: 500 }), total)) {
    bins[Math.min(Math.floor(km! / 10), 5)]! += 1
  }
  const labels = ['0 to 10', '10 to 20', '20 to 30', '30 to 40', '40 to 50', 'over 50']
  printTable(
    ['km', 'ZIP codes', ''],
    bins.map((count, i) => [labels[i]!, count, '█'.repeat(Math.round((count / total) * 100))]),
  )
}

/**
 * The new airports have replaced two others. The outer step marks those as closed; the nested one moves the ZIP codes
 * of one, then fails because it deletes the other, which still has its own.
 */
export async function failNestedStep(drizzle: Drizzle, kysely: Kysely<Database>): Promise<void> {
  let marked = 0
  let moved = 0
  await drizzle.transaction(async (tx) => {
    const mark = await tx
      .update(airport)
      .set({ name: sql`${airport.name} || ' (closed)'` })
      .where(inArray(airport.iata, ['PFN', 'ISN']))
    marked = mark.changes

    await tx
      .transaction(async (nested) => {
        const move = await nested.update(zip).set({ airport: 'XWA' }).where(eq(zip.airport, 'ISN'))
        moved = move.changes
        await nested.delete(airport).where(eq(airport.iata, 'PFN'))
      })
      .catch((error: unknown) =>
        print(`The nested step deletes PFN: ${describeError(error).message}`),
      )
  })

  const { airports } = await kysely
    .selectFrom('airport')
    .select(({ fn }) => fn.countAll<number>().as('airports'))
    .where('name', 'like', '%(closed)')
    .executeTakeFirstOrThrow()
  const { zips } = await kysely
    .selectFrom('zip')
    .select(({ fn }) => fn.countAll<number>().as('zips'))
    .where('airport', '=', 'XWA')
    .executeTakeFirstOrThrow()
  printTable(
    ['step', 'what it wrote', 'rows', 'still there, says Kysely'],
    [
      ['outer', 'PFN and ISN marked as closed', marked, airports],
      ['nested', 'ZIP codes moved from ISN to XWA', moved, zips],
    ],
  )
}
