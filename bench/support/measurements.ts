import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import {
  boolean,
  date,
  doublePrecision,
  integer,
  numeric,
  pgTable,
  smallint,
  text,
  timestamp,
} from 'drizzle-orm/pg-core'

/** A row of ten mixed columns, as Kysely reads it by default. */
export interface MeasurementTable {
  id: number
  big: number
  ratio: number
  label: string
  flag: boolean
  day: string
  moment: string
  amount: string
  city: string
  small: number
}

export interface Measurements {
  measurement: MeasurementTable
}

export const measurement = pgTable('measurement', {
  id: integer().primaryKey(),
  big: integer().notNull(),
  ratio: doublePrecision().notNull(),
  label: text().notNull(),
  flag: boolean().notNull(),
  day: date().notNull(),
  moment: timestamp({ mode: 'string' }).notNull(),
  amount: numeric().notNull(),
  city: text().notNull(),
  small: smallint().notNull(),
})

export const measurementCount = 1_000_000

/** One file with a million rows. Every contender reads it through the one instance that this process may have of it. */
export class MeasurementFile {
  readonly #directory = mkdtempSync(join(tmpdir(), 'keelson-bench-'))
  readonly path: string = join(this.#directory, 'measurements.duckdb')

  static async create(): Promise<MeasurementFile> {
    const file = new MeasurementFile()
    const instance = await DuckDBInstance.create(file.path)
    const connection = await instance.connect()
    await connection.run(
      `create table measurement (
         id integer primary key, big bigint not null, ratio double not null, label varchar not null,
         flag boolean not null, day date not null, moment timestamp not null, amount decimal(12, 2) not null,
         city varchar not null, small smallint not null)`,
    )
    await connection.run(
      `insert into measurement
       select range, range * 1000003, range * 1.5, 'measurement ' || range, range % 3 = 0,
         date '2020-01-01' + (range % 1000)::integer,
         timestamp '2026-01-01 00:00:00' + to_microseconds(range * 1234567),
         (range % 100000)::decimal(12, 2) / 8, ['Hamburg', 'Antwerp', 'Rotterdam', 'Genova'][range % 4 + 1], range % 300
       from range(${measurementCount})`,
    )
    connection.closeSync()
    instance.closeSync()
    return file
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
