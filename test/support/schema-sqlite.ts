import { relations, sql } from 'drizzle-orm'
import {
  blob,
  check,
  customType,
  integer,
  real,
  sqliteTable,
  text,
  unique,
} from 'drizzle-orm/sqlite-core'
import { hostileColumns, hostileTable } from './schema.ts'

/** The statements that create the shared tables. */
export const sqliteStatements: readonly string[] = [
  `create table account (
     id integer primary key,
     name text not null,
     email text unique,
     balance integer not null default 0 check (balance >= 0)
   )`,
  `create table entry (
     id integer primary key,
     account_id integer not null references account (id),
     reference text not null,
     amount integer not null,
     unique (account_id, reference)
   )`,
  `create table sample (
     id integer primary key,
     label text,
     whole integer,
     big integer,
     ratio real,
     bytes blob,
     flag integer,
     moment integer
   )`,
  'create table counter (id integer primary key, value integer not null)',
  `create table ${quoted(hostileTable)} (
     id integer primary key, ${hostileColumns.map((name) => `${quoted(name)} text not null`).join(', ')}
   )`,
]

const account = sqliteTable(
  'account',
  {
    id: integer().primaryKey(),
    name: text().notNull(),
    email: text().unique(),
    balance: integer().notNull().default(0),
  },
  (table) => [check('account_balance', sql`${table.balance} >= 0`)],
)

const entry = sqliteTable(
  'entry',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .notNull()
      .references(() => account.id),
    reference: text().notNull(),
    amount: integer().notNull(),
  },
  (table) => [unique().on(table.accountId, table.reference)],
)

/** A 64-bit integer, read as the database's `int64` option says; Drizzle has no such column for SQLite. */
const int64 = customType<{ data: bigint | number; driverData: bigint | number }>({
  dataType: () => 'integer',
})

const sample = sqliteTable('sample', {
  id: integer().primaryKey(),
  label: text(),
  whole: integer(),
  big: int64(),
  ratio: real(),
  bytes: blob({ mode: 'buffer' }),
  flag: integer({ mode: 'boolean' }),
  moment: integer({ mode: 'timestamp_ms' }),
})

const counter = sqliteTable('counter', { id: integer().primaryKey(), value: integer().notNull() })

const hostileText = (name: string) => text(name).notNull()

const hostile = sqliteTable(hostileTable, {
  id: integer().primaryKey(),
  ...(Object.fromEntries(hostileColumns.map((name) => [name, hostileText(name)])) as Record<
    (typeof hostileColumns)[number],
    ReturnType<typeof hostileText>
  >),
})

/** The shared tables for Drizzle, with the relations between accounts and entries. */
export const sqliteTables = {
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
