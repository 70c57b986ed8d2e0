import { DuckDBInstance } from '@duckdb/node-api'
import { openDuckDB, type DuckDBDatabase } from '@keelson/duckdb'
import { drizzle, stream } from '@keelson/duckdb/drizzle'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
// npm does not install it beside the current client, pnpm does.
import { drizzle as neoDrizzle } from '@leonardovida-md/drizzle-neo-duckdb'
import { eq, lt, sql } from 'drizzle-orm'
import { Kysely } from 'kysely'
import { measurement, type MeasurementFile, type Measurements } from './measurements.ts'

/** One way to reach DuckDB. Each job tells how many rows it saw. */
export interface DuckDBContender {
  readonly name: string
  pointSelect(ids: readonly number[]): Promise<number>
  /** Reads the first rows as objects, all at once. */
  manyRows(limit: number): Promise<number>
  aggregate(times: number): Promise<number>
  readonly stream?: (limit: number) => Promise<number>
  close(): unknown
}

const byId = 'select * from measurement where id = $1'
const many = 'select * from measurement where id < $1'
const perCity =
  'select city, count(*) as n, avg(ratio) as mean, max(amount) as most from measurement group by city order by city'

/** All of them, on one instance: two on one file would undo each other's writes. */
export async function duckdbContenders(
  file: MeasurementFile,
): Promise<{ contenders: readonly DuckDBContender[]; close(): Promise<void> }> {
  const instance = await DuckDBInstance.create(file.path)
  const database = await openDuckDB({ instance })
  const contenders = [
    await raw(instance),
    keelson(database),
    throughKysely(database),
    throughDrizzle(database),
    await throughNeoDuckDB(instance),
  ]
  return {
    contenders,
    async close() {
      for (const contender of contenders) await contender.close()
      await database.close()
      instance.closeSync()
    },
  }
}

/** The client as its documentation uses it, with statements that are prepared once. */
async function raw(instance: DuckDBInstance): Promise<DuckDBContender> {
  const connection = await instance.connect()
  const one = await connection.prepare(byId)
  const several = await connection.prepare(many)
  const cities = await connection.prepare(perCity)
  return {
    name: '@duckdb/node-api, prepared',
    async pointSelect(ids) {
      let rows = 0
      for (const id of ids) {
        one.bindInteger(1, id)
        rows += (await (await one.run()).getRowObjectsJS()).length
      }
      return rows
    },
    async manyRows(limit) {
      several.bindInteger(1, limit)
      return (await (await several.run()).getRowObjectsJS()).length
    },
    async aggregate(times) {
      let rows = 0
      for (let n = 0; n < times; n++) rows += (await (await cities.run()).getRowObjectsJS()).length
      return rows
    },
    async stream(limit) {
      several.bindInteger(1, limit)
      let rows = 0
      for await (const chunk of (await several.stream()).yieldRowObjectJs())
        for (const row of chunk) if ((row['id'] as number) >= 0) rows++
      return rows
    },
    close: () => connection.closeSync(),
  }
}

function keelson(database: DuckDBDatabase): DuckDBContender {
  return {
    name: 'Keelson, no ORM',
    async pointSelect(ids) {
      let rows = 0
      for (const id of ids) rows += (await database.execute(byId, [id])).rows.length
      return rows
    },
    manyRows: async (limit) => (await database.execute(many, [limit])).rows.length,
    async aggregate(times) {
      let rows = 0
      for (let n = 0; n < times; n++) rows += (await database.execute(perCity)).rows.length
      return rows
    },
    async stream(limit) {
      let rows = 0
      for await (const chunk of database.stream<{ id: number }>(many, [limit]))
        for (const row of chunk) if (row.id >= 0) rows++
      return rows
    },
    close: () => {},
  }
}

function throughKysely(database: DuckDBDatabase): DuckDBContender {
  const db = new Kysely<Measurements>({ dialect: new DuckDBDialect({ database }) })
  return {
    name: 'Kysely: Keelson',
    async pointSelect(ids) {
      let rows = 0
      for (const id of ids) {
        const row = await db
          .selectFrom('measurement')
          .selectAll()
          .where('id', '=', id)
          .executeTakeFirst()
        if (row !== undefined) rows++
      }
      return rows
    },
    async manyRows(limit) {
      return (await db.selectFrom('measurement').selectAll().where('id', '<', limit).execute())
        .length
    },
    async aggregate(times) {
      let rows = 0
      for (let n = 0; n < times; n++) {
        const cities = await db
          .selectFrom('measurement')
          .groupBy('city')
          .orderBy('city')
          .select((eb) => [
            'city',
            eb.fn.countAll<number>().as('n'),
            eb.fn.avg<number>('ratio').as('mean'),
            eb.fn.max('amount').as('most'),
          ])
          .execute()
        rows += cities.length
      }
      return rows
    },
    async stream(limit) {
      let rows = 0
      const query = db.selectFrom('measurement').selectAll().where('id', '<', limit)
      for await (const row of query.stream({ chunkSize: 2048 })) if (row.id >= 0) rows++
      return rows
    },
    close: () => db.destroy(),
  }
}

function throughDrizzle(database: DuckDBDatabase): DuckDBContender {
  const db = drizzle({ client: database })
  return {
    name: 'Drizzle: Keelson',
    async pointSelect(ids) {
      let rows = 0
      for (const id of ids)
        rows += (await db.select().from(measurement).where(eq(measurement.id, id))).length
      return rows
    },
    manyRows: async (limit) =>
      (await db.select().from(measurement).where(lt(measurement.id, limit))).length,
    async aggregate(times) {
      let rows = 0
      for (let n = 0; n < times; n++) {
        const cities = await db
          .select({
            city: measurement.city,
            n: sql<number>`count(*)`,
            mean: sql<number>`avg(${measurement.ratio})`,
            most: sql<string>`max(${measurement.amount})`,
          })
          .from(measurement)
          .groupBy(measurement.city)
          .orderBy(measurement.city)
        rows += cities.length
      }
      return rows
    },
    async stream(limit) {
      let rows = 0
      const query = db.select().from(measurement).where(lt(measurement.id, limit))
      for await (const row of stream(db, query)) if (row.id >= 0) rows++
      return rows
    },
    close: () => {},
  }
}

async function throughNeoDuckDB(instance: DuckDBInstance): Promise<DuckDBContender> {
  const connection = await instance.connect()
  const db = neoDrizzle(connection)
  return {
    name: 'Drizzle: drizzle-neo-duckdb',
    async pointSelect(ids) {
      let rows = 0
      for (const id of ids)
        rows += (await db.select().from(measurement).where(eq(measurement.id, id))).length
      return rows
    },
    manyRows: async (limit) =>
      (await db.select().from(measurement).where(lt(measurement.id, limit))).length,
    async aggregate(times) {
      let rows = 0
      for (let n = 0; n < times; n++) {
        const cities = await db
          .select({
            city: measurement.city,
            n: sql<number>`count(*)`,
            mean: sql<number>`avg(${measurement.ratio})`,
            most: sql<string>`max(${measurement.amount})`,
          })
          .from(measurement)
          .groupBy(measurement.city)
          .orderBy(measurement.city)
        rows += cities.length
      }
      return rows
    },
    close: () => connection.closeSync(),
  }
}
