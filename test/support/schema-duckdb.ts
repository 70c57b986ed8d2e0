import { relations, sql } from 'drizzle-orm'
import {
  boolean,
  check,
  customType,
  doublePrecision,
  integer,
  pgTable,
  text,
  timestamp,
  unique,
} from 'drizzle-orm/pg-core'
import { hostileColumns, hostileTable } from './schema.ts'

/** The statements that create the shared tables. */
export const duckdbStatements: readonly string[] = [
  'create sequence account_id',
  'create sequence entry_id',
  `create table account (
     id integer primary key default nextval('account_id'),
     name varchar not null,
     email varchar unique,
     balance integer not null default 0 check (balance >= 0)
   )`,
  `create table entry (
     id integer primary key default nextval('entry_id'),
     account_id integer not null references account (id),
     reference varchar not null,
     amount integer not null,
     unique (account_id, reference)
   )`,
  `create table sample (
     id integer primary key,
     label varchar,
     whole integer,
     big bigint,
     ratio double,
     bytes blob,
     flag boolean,
     moment timestamp
   )`,
  'create table counter (id integer primary key, value integer not null)',
  `create table ${quoted(hostileTable)} (
     id integer primary key, ${hostileColumns.map((name) => `${quoted(name)} varchar not null`).join(', ')}
   )`,
]

const account = pgTable(
  'account',
  {
    id: integer()
      .primaryKey()
      .default(sql`nextval('account_id')`),
    name: text().notNull(),
    email: text().unique(),
    balance: integer().notNull().default(0),
  },
  (table) => [check('account_balance', sql`${table.balance} >= 0`)],
)

const entry = pgTable(
  'entry',
  {
    id: integer()
      .primaryKey()
      .default(sql`nextval('entry_id')`),
    accountId: integer('account_id')
      .notNull()
      .references(() => account.id),
    reference: text().notNull(),
    amount: integer().notNull(),
  },
  (table) => [unique().on(table.accountId, table.reference)],
)

const blob = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => 'blob' })

/** A 64-bit integer, read as the database's `int64` option says; Drizzle's own fix the type for each column. */
const int64 = customType<{ data: bigint | number; driverData: bigint | number }>({
  dataType: () => 'bigint',
})

const sample = pgTable('sample', {
  id: integer().primaryKey(),
  label: text(),
  whole: integer(),
  big: int64(),
  ratio: doublePrecision(),
  bytes: blob(),
  flag: boolean(),
  moment: timestamp(),
})

const counter = pgTable('counter', { id: integer().primaryKey(), value: integer().notNull() })

const hostileText = (name: string) => text(name).notNull()

const hostile = pgTable(hostileTable, {
  id: integer().primaryKey(),
  ...(Object.fromEntries(hostileColumns.map((name) => [name, hostileText(name)])) as Record<
    (typeof hostileColumns)[number],
    ReturnType<typeof hostileText>
  >),
})

/** The shared tables for Drizzle, with the relations between accounts and entries. */
export const duckdbTables = {
  account,
  entry,
  sample,
  counter,
  hostile,
  accountRelations: relations(account, ({ many }) => ({ entries: many(entry) })),
  entryRelations: relations(entry, ({ one }) => ({
    account: one(account, { fields: [entry.accountId], references: [account.id] }),
  })),
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
