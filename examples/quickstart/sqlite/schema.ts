import type { KeelsonSqliteDatabase } from '@keelson/sqlite/drizzle'
import { relations } from 'drizzle-orm'
import type { Kyselify } from 'drizzle-orm/kysely'
import { real, sqliteTable, text } from 'drizzle-orm/sqlite-core'

export const airport = sqliteTable('airport', {
  iata: text().primaryKey(),
  name: text().notNull(),
  city: text(),
  state: text(),
  country: text().notNull(),
  latitude: real().notNull(),
  longitude: real().notNull(),
})

export const zip = sqliteTable('zip', {
  code: text().primaryKey(),
  city: text().notNull(),
  state: text().notNull(),
  county: text().notNull(),
  latitude: real().notNull(),
  longitude: real().notNull(),
  airport: text().references(() => airport.iata),
  km: real(),
})

export const airportRelations = relations(airport, ({ many }) => ({ zips: many(zip) }))
export const zipRelations = relations(zip, ({ one }) => ({
  nearest: one(airport, { fields: [zip.airport], references: [airport.iata] }),
}))

/** What Drizzle is told of, for `db.query`. */
export const schema = { airport, zip, airportRelations, zipRelations }
export type Drizzle = KeelsonSqliteDatabase<typeof schema>

/** The same tables for Kysely, so that nothing is described twice. */
export interface Database {
  flight: { date: string; origin: string; destination: string; delay: number }
  airport: Kyselify<typeof airport>
  zip: Kyselify<typeof zip>
}

/** `strict`: SQLite refuses a value of another type, so no ZIP code can lose its leading zero. */
export const tables = [
  `create table airport (
    iata text primary key,
    name text not null,
    city text,
    state text,
    country text not null,
    latitude real not null,
    longitude real not null
  ) strict`,
  `create table zip (
    code text primary key,
    city text not null,
    state text not null,
    county text not null,
    latitude real not null,
    longitude real not null,
    airport text references airport (iata),
    km real
  ) strict`,
  'create index airport_position on airport (latitude, longitude)',
  'create index zip_airport on zip (airport)',
]
