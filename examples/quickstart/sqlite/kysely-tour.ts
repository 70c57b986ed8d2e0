import { createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { describeError } from '@keelson/core'
import { eq, inArray } from 'drizzle-orm'
import type { Kysely } from 'kysely'
import { airport, zip, type Database, type Drizzle } from './schema.ts'
import { number, print, printTable, withProgress } from '../terminal.ts'

export async function showBusiestAirports(kysely: Kysely<Database>): Promise<void> {
  const airports = await kysely
    .selectFrom('airport')
    .innerJoin('zip', 'zip.airport', 'airport.iata')
    .select(({ fn }) => [
      'iata',
      'name',
      'airport.state',
      fn.countAll<number>().as('zips'),
      fn.avg<number>('km').as('km'),
    ])
    .groupBy('iata')
    .orderBy('zips', 'desc')
    .limit(5)
    .execute()
  print('Airports that are nearest to the most ZIP codes:')
  printTable(
    ['airport', 'name', 'state', 'ZIP codes', 'mean km'],
    airports.map(({ iata, name, state, zips, km }) => [iata, name, state, zips, km]),
  )
}

/** Writes a file of JSON lines without ever holding more than 500 rows. */
export async function exportZips(kysely: Kysely<Database>, folder: string): Promise<void> {
  const zips = kysely
    .selectFrom('zip')
    .leftJoin('airport', 'iata', 'zip.airport')
    .select(['code', 'zip.city', 'zip.state', 'airport.name as airport', 'km'])
    .orderBy('code')
  const { total } = await kysely
    .selectFrom('zip')
    .select(({ fn }) => fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()

  const file = join(folder, 'zips.jsonl')
  const lines = async function* (): AsyncGenerator<string> {
    for await (const row of withProgress(zips.stream(500), total)) yield `${JSON.stringify(row)}\n`
  }
  await pipeline(lines, createWriteStream(file))
  const { size } = await stat(file)
  print(`${number(size / 1e6, 1)} MB in zips.jsonl`)
}

/**
 * Two airports have opened since the file was made. The outer step adds them; the nested one moves ZIP codes to the
 * first, then fails because it adds that airport again.
 */
export async function failNestedStep(kysely: Kysely<Database>, drizzle: Drizzle): Promise<void> {
  let added = 0n
  let moved = 0n
  const trx = await kysely.startTransaction().execute()
  try {
    const add = await trx.insertInto('airport').values([ecp, xwa]).executeTakeFirstOrThrow()
    added = add.numInsertedOrUpdatedRows!

    const nested = await trx.savepoint('move_zips').execute()
    try {
      const move = await nested
        .updateTable('zip')
        .set({ airport: 'ECP' })
        .where('airport', '=', 'PFN')
        .executeTakeFirstOrThrow()
      moved = move.numUpdatedRows
      await nested.insertInto('airport').values(ecp).execute()
      await nested.releaseSavepoint('move_zips').execute()
    } catch (error) {
      await nested.rollbackToSavepoint('move_zips').execute()
      print(`The nested step adds ECP again: ${describeError(error).message}`)
    }

    await trx.commit().execute()
  } catch (error) {
    await trx.rollback().execute()
    throw error
  }

  const airports = await drizzle.$count(airport, inArray(airport.iata, ['ECP', 'XWA']))
  const zips = await drizzle.$count(zip, eq(zip.airport, 'ECP'))
  printTable(
    ['step', 'what it wrote', 'rows', 'still there, says Drizzle'],
    [
      ['outer', 'new airports ECP and XWA', Number(added), airports],
      ['nested', 'ZIP codes moved from PFN to ECP', Number(moved), zips],
    ],
  )
}

const ecp = {
  iata: 'ECP',
  name: 'Northwest Florida Beaches International',
  city: 'Panama City',
  state: 'FL',
  country: 'USA',
  latitude: 30.358,
  longitude: -85.796,
}
const xwa = {
  iata: 'XWA',
  name: 'Williston Basin International',
  city: 'Williston',
  state: 'ND',
  country: 'USA',
  latitude: 48.259,
  longitude: -103.749,
}
