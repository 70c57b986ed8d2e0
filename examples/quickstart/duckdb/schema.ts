import type { KeelsonDuckDBDatabase } from '@keelson/duckdb/drizzle'
import type { Kyselify } from 'drizzle-orm/kysely'
import { bigint, doublePrecision, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'

/** One flight that took off at `date`, local time, and landed `delay` minutes late, or early if that is negative. */
export const flight = pgTable('flight', {
  date: timestamp().notNull(),
  delay: bigint({ mode: 'number' }).notNull(),
  distance: bigint({ mode: 'number' }).notNull(),
  origin: text().notNull(),
  destination: text().notNull(),
})

/** All flights from one airport to another. */
export const route = pgTable(
  'route',
  {
    origin: text().notNull(),
    destination: text().notNull(),
    flights: bigint({ mode: 'number' }).notNull(),
    delay: doublePrecision().notNull(),
  },
  (table) => [primaryKey({ columns: [table.origin, table.destination] })],
)

export type Drizzle = KeelsonDuckDBDatabase

/** The same tables for Kysely, so that nothing is described twice. */
export interface Database {
  flight: Kyselify<typeof flight>
  route: Kyselify<typeof route>
}

/** Takes the types of the columns from the file. */
export const createFlight = `
  create table flight as
  select date, delay, distance, origin, destination from read_parquet($1)`

export const createRoute = `
  create table route (
    origin varchar not null,
    destination varchar not null,
    flights bigint not null,
    delay double not null,
    primary key (origin, destination)
  )`
