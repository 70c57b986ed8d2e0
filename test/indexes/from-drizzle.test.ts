import { drizzle as duckdbDrizzle } from '@keelson/duckdb/drizzle'
import { type TableDefinition } from '@keelson/indexes'
import { fromDrizzle } from '@keelson/indexes/drizzle'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import { eq, sql } from 'drizzle-orm'
import * as my from 'drizzle-orm/mysql-core'
import { drizzle as postgresDrizzle } from 'drizzle-orm/node-postgres'
import * as pg from 'drizzle-orm/pg-core'
import * as lite from 'drizzle-orm/sqlite-core'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { creating } from './fixture.ts'

const owner = lite.sqliteTable('owner', { id: lite.integer().primaryKey(), name: lite.text() })

const ticket = lite.sqliteTable(
  'ticket',
  {
    id: lite.integer('id').primaryKey({ autoIncrement: true }),
    ownerId: lite
      .integer('owner_id')
      .notNull()
      .references(() => owner.id, { onDelete: 'cascade' }),
    email: lite.text().unique(),
    status: lite
      .text({ enum: ['open', 'closed'] })
      .notNull()
      .default('open'),
    price: lite.real(),
    code: lite.text(),
    isDone: lite.integer({ mode: 'boolean' }).notNull().default(false),
    at: lite
      .integer({ mode: 'timestamp_ms' })
      .notNull()
      .$defaultFn(() => new Date()),
    data: lite.text({ mode: 'json' }).$type<{ price: number }>(),
    exact: lite.numeric(),
    bytes: lite.blob({ mode: 'buffer' }),
    big: lite.blob({ mode: 'bigint' }),
    created: lite.text().default(sql`(current_timestamp)`),
    double: lite.real().generatedAlwaysAs(sql`price * 2`),
  },
  (t) => [
    lite.index('by_status').on(t.status, sql`${t.price} desc`),
    lite.index('by_done').on(t.at).where(eq(t.isDone, false)),
    lite.index('by_email').on(sql`lower(${t.email})`),
    lite
      .index('by_data')
      .on(sql`${t.data} ->> 'price'`)
      .where(sql`${t.data} is not null and ${eq(t.code, "o'pen")}`),
    lite.index('by_other').on(sql`abs(${t.price})`),
    lite.uniqueIndex('one_price').on(t.ownerId, t.price),
    lite.check('positive', sql`${t.price} > 0`),
  ],
)

function only(tables: readonly TableDefinition[], name: string): TableDefinition {
  return tables.find((table) => table.name === name)!
}

test('reads a table of SQLite as Drizzle stores it', () => {
  const table = only(fromDrizzle({ owner, ticket, unrelated: 1 }), 'ticket')
  expect(table.columns).toEqual([
    { name: 'id', type: { kind: 'integer' }, nullable: false, identity: true },
    { name: 'owner_id', type: { kind: 'integer' }, nullable: false },
    { name: 'email', type: { kind: 'string' }, nullable: true },
    {
      name: 'status',
      type: { kind: 'string' },
      nullable: false,
      default: { kind: 'value', value: 'open' },
    },
    { name: 'price', type: { kind: 'number' }, nullable: true },
    { name: 'code', type: { kind: 'string' }, nullable: true },
    {
      name: 'isDone',
      type: { kind: 'boolean' },
      nullable: false,
      default: { kind: 'value', value: false },
    },
    { name: 'at', type: { kind: 'integer' }, nullable: false },
    { name: 'data', type: { kind: 'json' }, nullable: true },
    { name: 'exact', type: { kind: 'string' }, nullable: true, override: { sqlite: 'numeric' } },
    { name: 'bytes', type: { kind: 'blob' }, nullable: true },
    { name: 'big', type: { kind: 'blob' }, nullable: true },
    {
      name: 'created',
      type: { kind: 'string' },
      nullable: true,
      default: { kind: 'unsafeSql', sql: '(current_timestamp)' },
    },
    {
      name: 'double',
      type: { kind: 'number' },
      nullable: true,
      generated: { sql: 'price * 2', stored: false },
    },
  ])
  expect(table.primaryKey).toEqual(['id'])
  expect(table.foreignKeys).toEqual([
    {
      name: 'ticket_owner_id_owner_id_fk',
      columns: ['owner_id'],
      referencedTable: 'owner',
      referencedColumns: ['id'],
      onDelete: 'cascade',
    },
  ])
})

test('indexes that are partial, descending or over expressions are read in their terms', () => {
  const { indexes, checks } = only(fromDrizzle([ticket]), 'ticket')
  const column = (name: string) => ({ expression: { kind: 'column', name } })
  expect(indexes).toEqual([
    { name: 'ticket_email_unique', keys: [column('email')], unique: true },
    {
      name: 'by_status',
      keys: [column('status'), { ...column('price'), direction: 'desc' }],
      unique: false,
    },
    {
      name: 'by_done',
      keys: [column('at')],
      unique: false,
      where: {
        kind: 'compare',
        operator: '=',
        expression: column('isDone').expression,
        value: false,
      },
    },
    {
      name: 'by_email',
      keys: [
        { expression: { kind: 'call', function: 'lower', argument: column('email').expression } },
      ],
      unique: false,
    },
    {
      name: 'by_data',
      keys: [{ expression: { kind: 'json', column: 'data', path: ['price'], as: 'string' } }],
      unique: false,
      where: {
        kind: 'and',
        operands: [
          { kind: 'isNotNull', expression: column('data').expression },
          {
            kind: 'compare',
            operator: '=',
            expression: column('code').expression,
            value: "o'pen",
          },
        ],
      },
    },
    {
      name: 'by_other',
      keys: [{ expression: { kind: 'unsafeSql', sql: 'abs("price")' } }],
      unique: false,
    },
    { name: 'one_price', keys: [column('owner_id'), column('price')], unique: true },
  ])
  expect(checks).toEqual([
    {
      name: 'positive',
      predicate: {
        kind: 'compare',
        operator: '>',
        expression: column('price').expression,
        value: 0,
      },
    },
  ])
})

test('SQLite: Drizzle reads and writes the table that is made of its own', async () => {
  const db = sqliteDrizzle(':memory:', { casing: 'snake_case' })
  onTestFinished(async () => void (await db.$client.close()))
  for (const table of fromDrizzle([owner, ticket], { casing: 'snake_case' })) {
    for (const statement of creating(table, 'sqlite')) await db.run(sql.raw(statement))
  }
  // Its id is not AUTOINCREMENT, and numbered all the same.
  await db.insert(owner).values({ name: 'a' })
  expect(await db.select().from(owner)).toEqual([{ id: 1, name: 'a' }])
  const row = {
    ownerId: 1,
    email: 'a@example.com',
    price: 1.5,
    isDone: true,
    at: new Date(1_234),
    data: { price: 3 },
    exact: '12.50',
    bytes: Buffer.from([1, 2]),
    big: 2n ** 70n,
  }
  await db.insert(ticket).values(row)
  const [read] = await db.select().from(ticket)
  expect(read).toMatchObject({ ...row, id: 1, status: 'open', double: 3, exact: '12.5' })
  await expect(db.insert(ticket).values({ ...row, email: null, price: -1 })).rejects.toMatchObject({
    cause: { code: 'SQLITE_CONSTRAINT_CHECK' },
  })
})

const mood = pg.pgEnum('mood', ['sad', 'happy'])
const event = pg.pgTable(
  'event',
  {
    id: pg.serial().primaryKey(),
    key: pg.uuid().notNull().defaultRandom(),
    name: pg.varchar({ length: 10 }).notNull(),
    code: pg.char({ length: 3 }),
    mood: mood(),
    small: pg.smallint(),
    big: pg.bigint({ mode: 'bigint' }),
    exact: pg.numeric({ precision: 10, scale: 2 }),
    free: pg.numeric(),
    ratio: pg.real(),
    day: pg.date(),
    at: pg.timestamp().notNull().defaultNow(),
    zoned: pg.timestamp({ withTimezone: true, precision: 3 }).notNull().defaultNow(),
    tags: pg.text().array(),
    plain: pg.json(),
    data: pg.jsonb().$type<{ a: number }>(),
    address: pg.inet(),
    isDone: pg.boolean().default(true),
    twice: pg.integer().generatedAlwaysAs(sql`small * 2`),
  },
  (t) => [
    pg.index('event_by_at').on(t.at.desc(), t.name),
    pg.index().using('gin', t.data),
    pg
      .index('event_done')
      .on(t.name)
      .where(sql`${t.isDone} = false`),
    pg.unique('one_key').on(t.key, t.name).nullsNotDistinct(),
  ],
)

test('PostgreSQL: Drizzle reads and writes the table that is made of its own', async () => {
  const { createDatabase } = await postgres()
  const pool = new Pool({ connectionString: await createDatabase() })
  onTestFinished(() => pool.end())
  const db = postgresDrizzle(pool, { casing: 'snake_case' })
  const [table] = fromDrizzle(event, { casing: 'snake_case' })
  for (const statement of creating(table!, 'postgresql')) await db.execute(sql.raw(statement))
  const row = {
    name: 'ab',
    code: 'abc',
    mood: 'happy' as const,
    small: 3,
    big: 2n ** 60n,
    exact: '12.50',
    free: '1.23456789012345678901234567890',
    ratio: 1.5,
    day: '2020-02-29',
    at: new Date('2020-01-01T12:00:00.123Z'),
    zoned: new Date('2020-01-01T12:00:00.123Z'),
    tags: ['a', 'b "c"'],
    plain: { b: 1 },
    data: { a: 1 },
    address: '10.0.0.1',
  }
  await db.insert(event).values(row)
  expect(await db.select().from(event)).toMatchObject([{ ...row, id: 1, isDone: true, twice: 6 }])
  const { rows } = await pool.query(
    `select indexdef from pg_indexes where tablename = 'event' order by indexname collate "C"`,
  )
  const made = rows.map(({ indexdef }) => indexdef).join('\n')
  expect(made).toMatch(/"?event_by_at"? ON public.event USING btree \(at DESC, name\)/)
  expect(made).toMatch(/USING gin \(data\)/)
  expect(made).toMatch(/event_done ON public.event USING btree \(name\) WHERE/)
  expect(made).toMatch(/UNIQUE INDEX one_key .* NULLS NOT DISTINCT/)
})

test('DuckDB: a table of PostgreSQL is made there, too', async () => {
  const db = duckdbDrizzle(':memory:')
  onTestFinished(async () => void (await db.$client.close()))
  const flight = pg.pgTable('flight', {
    id: pg.integer().primaryKey(),
    name: pg.text().notNull(),
    at: pg.timestamp(),
  })
  for (const table of fromDrizzle(flight)) {
    for (const statement of creating(table, 'duckdb')) await db.execute(sql.raw(statement))
  }
  const row = { id: 1, name: 'a', at: new Date('2020-01-01T12:00:00.123Z') }
  await db.insert(flight).values(row)
  expect(await db.select().from(flight)).toEqual([row])
})

test('reads a table of MySQL', () => {
  const table = my.mysqlTable(
    'm',
    {
      id: my.serial().primaryKey(),
      n: my.int({ unsigned: true }).notNull().default(3),
      t: my.varchar({ length: 20 }),
      e: my.mysqlEnum(['a', 'b']),
      d: my.decimal({ precision: 8, scale: 3 }),
      at: my.datetime({ fsp: 3 }),
      j: my.json(),
    },
    (t) => [
      my.index('by_t').on(t.t, sql`${t.n} desc`),
      my.uniqueIndex('u').on(sql`(lower(${t.t}))`),
    ],
  )
  const [read] = fromDrizzle(table)
  expect(read!.columns).toEqual([
    { name: 'id', type: { kind: 'bigint' }, nullable: false, identity: true },
    {
      name: 'n',
      type: { kind: 'int32' },
      nullable: false,
      default: { kind: 'value', value: 3 },
      override: { mysql: 'int unsigned' },
    },
    {
      name: 't',
      type: { kind: 'string', maxLength: 20 },
      nullable: true,
      override: { mysql: 'varchar(20)' },
    },
    { name: 'e', type: { kind: 'enum', values: ['a', 'b'] }, nullable: true },
    { name: 'd', type: { kind: 'decimal', precision: 8, scale: 3 }, nullable: true },
    { name: 'at', type: { kind: 'datetime' }, nullable: true, override: { mysql: 'datetime(3)' } },
    { name: 'j', type: { kind: 'json' }, nullable: true },
  ])
  expect(read!.indexes.map(({ keys }) => keys)).toEqual([
    [
      { expression: { kind: 'column', name: 't' } },
      { expression: { kind: 'column', name: 'n' }, direction: 'desc' },
    ],
    [{ expression: { kind: 'call', function: 'lower', argument: { kind: 'column', name: 't' } } }],
  ])
})

test('names follow the casing that drizzle() was given', () => {
  const table = lite.sqliteTable(
    't',
    { createdAt: lite.text(), named: lite.text('NAMED') },
    (t) => [lite.index('i').on(t.createdAt, sql`${t.named} desc`)],
  )
  const names = (casing?: 'snake_case' | 'camelCase') => {
    const [{ columns, indexes }] = fromDrizzle(table, casing === undefined ? {} : { casing }) as [
      TableDefinition,
    ]
    return [
      ...columns.map(({ name }) => name),
      ...indexes[0]!.keys.map(({ expression }) => (expression as { name: string }).name),
    ]
  }
  expect(names()).toEqual(['createdAt', 'NAMED', 'createdAt', 'NAMED'])
  expect(names('snake_case')).toEqual(['created_at', 'NAMED', 'created_at', 'NAMED'])
})

test('refuses what definitions cannot say, and what is no table', () => {
  const table = pg.pgTable('t', { a: pg.text() }, (t) => [
    pg.index('ops').on(t.a.op('text_pattern_ops')),
  ])
  expect(() => fromDrizzle(table)).toThrow(
    'The index ops of t has the operator class text_pattern_ops, which definitions cannot say. ' +
      'Leave it out of the table, and create it in a migration of its own.',
  )
  expect(() => fromDrizzle({ a: 1 })).toThrow(
    'fromDrizzle() cannot use an object as `tables`. It takes tables of Drizzle, or the module that exports them.',
  )
  expect(() => fromDrizzle([owner, {} as never])).toThrow('fromDrizzle() cannot use an array of 2')
  expect(() => fromDrizzle(owner, { casing: 'kebab' as never })).toThrow(
    "It takes 'snake_case' or 'camelCase'.",
  )
})
