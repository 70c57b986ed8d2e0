import BetterSqlite3 from 'better-sqlite3'
import { eq, getTableColumns, getTableName, sql, type Column, type SQL } from 'drizzle-orm'
import {
  alias,
  blob,
  integer,
  numeric,
  real,
  sqliteTable,
  text,
  customType,
} from 'drizzle-orm/sqlite-core'
import { drizzle } from '@keelson/sqlite/drizzle'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'

const upper = customType<{ data: string; driverData: string }>({
  dataType: () => 'text',
  fromDriver: (value) => value.toUpperCase(),
})

const things = sqliteTable('things', {
  id: integer().primaryKey(),
  label: text(),
  flag: integer({ mode: 'boolean' }),
  at: integer({ mode: 'timestamp' }),
  atMs: integer('at_ms', { mode: 'timestamp_ms' }),
  ratio: real(),
  amount: numeric(),
  amountNumber: numeric('amount_number', { mode: 'number' }),
  amountBig: numeric('amount_big', { mode: 'bigint' }),
  json: text({ mode: 'json' }),
  bytes: blob({ mode: 'buffer' }),
  blobJson: blob('blob_json', { mode: 'json' }),
  blobBig: blob('blob_big', { mode: 'bigint' }),
  shout: upper(),
})
const parts = sqliteTable('parts', {
  id: integer().primaryKey(),
  thingId: integer('thing_id'),
  size: integer(),
})
const others = alias(parts, 'others')

/** The same database through Keelson and through Drizzle's own better-sqlite3 driver, which uses `mapResultRow`. */
async function openBoth() {
  const raw = new BetterSqlite3(':memory:')
  onTestFinished(() => void raw.close())
  raw.exec(`
    create table things (id integer primary key, label text, flag integer, at integer, at_ms integer, ratio real,
      amount numeric, amount_number numeric, amount_big numeric, json text, bytes blob, blob_json blob, blob_big blob, shout text);
    create table parts (id integer primary key, thing_id integer, size integer);
  `)
  const ours = drizzle(raw)
  await ours.insert(things).values([
    {
      id: 1,
      label: 'one',
      flag: true,
      at: new Date(1_000),
      atMs: new Date(1_234),
      ratio: 0.5,
      amount: '1.50',
      amountNumber: 2.5,
      amountBig: 9007199254740993n,
      json: { a: [1, null] },
      bytes: Buffer.from('xyz'),
      blobJson: ['b'],
      blobBig: 12345678901234567890n,
      shout: 'quiet',
    },
    { id: 2, label: '', flag: false, json: null, amount: '7' },
    { id: 3 },
  ])
  await ours.run(
    sql`update things set json = 'null', blob_json = cast('null' as blob) where id = 2`,
  )
  await ours.insert(parts).values([
    { id: 1, thingId: 1, size: 10 },
    { id: 2, thingId: 1 },
    { id: 3, size: 30 },
  ])
  return { ours, theirs: betterSqlite3Drizzle(raw) }
}

/** Fields by name, so that a counterexample can be read. */
const fields = new Map<string, () => Column | SQL | SQL.Aliased>([
  ...[things, parts, others].flatMap((table) =>
    Object.values(getTableColumns(table)).map(
      (column) => [`${getTableName(table)}.${column.name}`, () => column] as const,
    ),
  ),
  ['1', () => sql`1`],
  ['null', () => sql`null`],
  ['number', () => sql<number>`'12'`.mapWith(Number)],
  ['function', () => sql<number>`count(*) over ()`.mapWith((value: number) => value + 0.5)],
  ['column', () => sql`${things.flag}`.mapWith(things.flag)],
  ['aliased column', () => sql`${things.at}`.mapWith(things.at).as('an alias')],
  ['aliased', () => sql`${parts.size} + 1`.as('size')],
])

type Selected = string | { [name: string]: Selected }
type Selection = Column | SQL | SQL.Aliased | { [name: string]: Selection }

function selectionOf(selected: Selected): Selection {
  if (typeof selected === 'string') return fields.get(selected)!()
  return Object.fromEntries(
    Object.entries(selected).map(([name, inner]) => [name, selectionOf(inner)]),
  )
}

// Names that every object inherits are tested below: Drizzle's mapper fails on them.
const name = fc.oneof(
  fc.constantFrom(
    'id',
    'a',
    'b',
    'things',
    'parts',
    '0',
    '10',
    'a b',
    "'",
    '"',
    '`',
    '\\',
    '\n',
    '\u2028',
    '${x}',
    '])',
    '',
  ),
  fc.string({ maxLength: 6 }).filter((word) => !(word in {})),
)
const field = fc.constantFrom(...fields.keys())
const group = fc.dictionary(name, field, { minKeys: 1, maxKeys: 4 })
const nested = fc.dictionary(name, group, { minKeys: 1, maxKeys: 2 })
const selection = fc.dictionary(name, fc.oneof(field, group, nested), { minKeys: 1, maxKeys: 6 })
const joins = ['leftJoin', 'innerJoin', 'rightJoin', 'fullJoin'] as const
const join = fc.constantFrom(...joins)

describe('rows are mapped as Drizzle maps them', () => {
  test('for any selection over any joins', async () => {
    const { ours, theirs } = await openBoth()
    await fc.assert(
      fc.asyncProperty(selection, join, join, async (selected, first, second) => {
        const build = (db: typeof ours | typeof theirs): any =>
          (db as typeof ours)
            .select(selectionOf(selected) as never)
            .from(things)
            [first](parts, eq(parts.thingId, things.id))
            [second](others, eq(others.id, things.id))
        expect(await build(ours)).toStrictEqual(build(theirs).all())
        expect(await build(ours).get()).toStrictEqual(build(theirs).get())
      }),
      { numRuns: 300 },
    )
  })

  test('for whole tables in every kind of join', async () => {
    const { ours, theirs } = await openBoth()
    for (const first of joins) {
      for (const second of joins) {
        const build = (db: typeof ours | typeof theirs): any =>
          (db as typeof ours)
            .select()
            .from(things)
            [first](parts, eq(parts.thingId, things.id))
            [second](others, eq(others.size, parts.size))
        expect(await build(ours)).toStrictEqual(build(theirs).all())
      }
    }
  })

  test('for subqueries as fields and as tables, and for returning()', async () => {
    const { ours, theirs } = await openBoth()
    const build = (db: typeof ours | typeof theirs): any[] => {
      const one = db as typeof ours
      const size = one
        .select({ size: parts.size })
        .from(parts)
        .where(eq(parts.id, 1))
        .as('one_size')
      const flagged = one
        .select({ id: things.id, flag: things.flag, n: sql<number>`1`.as('n') })
        .from(things)
        .as('flagged')
      return [
        one.select({ id: things.id, size }).from(things),
        one.select().from(flagged),
        one
          .select({ at: flagged.flag, nested: { n: flagged.n } })
          .from(flagged)
          .leftJoin(things, eq(things.id, flagged.id)),
        one.update(things).set({ flag: true }).where(eq(things.id, 2)).returning(),
        one
          .update(things)
          .set({ flag: true })
          .where(eq(things.id, 2))
          .returning({ inner: { flag: things.flag } as never, at: things.at }),
      ]
    }
    const [mine, their] = [build(ours), build(theirs)]
    for (const [index, query] of mine.entries())
      expect(await query).toStrictEqual(their[index].all())
  })

  test('for a prepared query whose result is mapped again and again', async () => {
    const { ours, theirs } = await openBoth()
    const build = (db: typeof ours | typeof theirs): any =>
      db
        .select()
        .from(things)
        .leftJoin(parts, eq(parts.thingId, sql.placeholder('id')))
        .prepare()
    const [mine, their] = [build(ours), build(theirs)]
    for (const id of [1, 2, 1]) expect(await mine.all({ id })).toStrictEqual(their.all({ id }))
  })

  test('for more shapes of selection than are remembered', async () => {
    const { ours } = await openBoth()
    for (let shape = 0; shape < 1_100; shape++) {
      expect(
        await ours
          .select({ [`key ${shape}`]: sql`${shape}` })
          .from(parts)
          .limit(1),
      ).toEqual([{ [`key ${shape}`]: shape }])
    }
    expect(
      await ours
        .select({ 'key 0': sql`7` })
        .from(parts)
        .limit(1),
    ).toEqual([{ 'key 0': 7 }])
  })
})

test('keys that every object inherits become properties of the row and reach no prototype', async () => {
  const { ours } = await openBoth()
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const flat = await ours
      .select({ [key]: parts.id })
      .from(parts)
      .orderBy(parts.id)
      .get()
    expect(Object.entries(flat!)).toEqual([[key, 1]])
    const nested = await ours
      .select({ [key]: { polluted: parts.id } } as never)
      .from(parts)
      .orderBy(parts.id)
      .get()
    expect(Object.entries(nested!)).toEqual([[key, { polluted: 1 }]])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect((Object as unknown as Record<string, unknown>)['polluted']).toBeUndefined()
  }
  const joined = await ours
    .select({ constructor: { id: others.id }, id: parts.id } as never)
    .from(parts)
    .leftJoin(others, sql`false`)
    .get()
  expect(joined).toEqual({ constructor: null, id: 1 })
})
