import {
  appendEvents,
  createEventTables,
  EventConflictError,
  EventIdError,
  type EventTableOptions,
  MissingTableError,
  type NewEvent,
  WriteConflictError,
} from '@keelson/bulk-insert/kysely'
import { describeError } from '@keelson/core'
import { outside } from '@keelson/transactions/kysely'
import { type Kysely, sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import {
  duckdb,
  mysql,
  postgresql,
  sqliteKysely,
  sqliteOurs,
} from '../../transactions/kysely/engines.ts'
import { describeVariants, open, type Opened, type Variant } from './fixture.ts'

interface Store extends Opened {
  /** `stream version position event_id` of each event. */
  stored(): Promise<string[]>
  /** `stream version` of each stream. */
  streams(): Promise<string[]>
}

async function openStore(
  variant: Omit<Variant, 'name'>,
  options: EventTableOptions = {},
): Promise<Store> {
  const opened = await open(variant)
  await createEventTables(opened.db, options)
  opened.sent()
  const position = options.order === 'global' ? 'position, ' : ''
  const lines = async (query: string): Promise<string[]> =>
    (await opened.select(query)).map((row) => Object.values(row).join(' '))
  return {
    ...opened,
    stored: () =>
      lines(`select stream, version, ${position}event_id from keelson_event order by 1, 2`),
    streams: () => lines('select stream, version from keelson_stream order by 1'),
  }
}

function events(...ids: string[]): NewEvent[] {
  return ids.map((id) => ({ id, type: 'noted', data: { id } }))
}

const undo = new Error('undo')

describeVariants((variant) => {
  const { engine } = variant

  test('Q1: the schema itself refuses two events under one version, and one id twice', async () => {
    const { db, inTransaction } = await openStore(variant)
    await appendEvents(db, 's', events('a'), { expectedVersion: 'noStream' })
    const insert = (version: number, id: string) =>
      inTransaction((tx) =>
        sql`insert into keelson_event (stream, version, event_id, type, data) values ('s', ${sql.lit(version)}, ${sql.lit(id)}, 't', '{}')`.execute(
          tx,
        ),
      )
    expect(describeError(await rejection(insert(1, 'b'))).category).toBe('unique')
    expect(describeError(await rejection(insert(2, 'a'))).category).toBe('unique')
  })

  test('Q2, Q3: events follow each other in their stream, on each of the conditions', async () => {
    const { db, stored, streams } = await openStore(variant)
    expect(await appendEvents(db, 's', events('a', 'b'), { expectedVersion: 'noStream' })).toEqual({
      version: 2,
      events: [
        { id: 'a', version: 1, position: undefined },
        { id: 'b', version: 2, position: undefined },
      ],
      isRepeat: false,
    })
    expect((await appendEvents(db, 's', events('c'), { expectedVersion: 2 })).version).toBe(3)
    expect((await appendEvents(db, 's', events('d'), { expectedVersion: 'exists' })).version).toBe(
      4,
    )
    expect((await appendEvents(db, 's', events('e'), { expectedVersion: 'any' })).version).toBe(5)
    expect((await appendEvents(db, 't', events('f'), { expectedVersion: 'any' })).version).toBe(1)
    expect((await appendEvents(db, 'S', events('g'), { expectedVersion: 0 })).version).toBe(1)
    expect((await stored()).toSorted()).toEqual([
      'S 1 g',
      's 1 a',
      's 2 b',
      's 3 c',
      's 4 d',
      's 5 e',
      't 1 f',
    ])
    expect((await streams()).toSorted()).toEqual(['S 1', 's 5', 't 1'])
  })

  test('Q4: a conflict carries the actual version, leaves nothing behind, and harms no transaction', async () => {
    const { db, inTransaction, stored, streams } = await openStore(variant)
    await appendEvents(db, 's', events('a', 'b'), { expectedVersion: 'noStream' })
    const cases = [
      ['s', 'noStream', 2],
      ['s', 0, 2],
      ['s', 1, 2],
      ['s', 3, 2],
      ['none', 'exists', 0],
      ['none', 1, 0],
    ] as const
    for (const [stream, expectedVersion, actualVersion] of cases) {
      const error = await rejection(appendEvents(db, stream, events('x'), { expectedVersion }))
      expect(error).toBeInstanceOf(EventConflictError)
      expect(error).toMatchObject({
        code: 'EVENT_CONFLICT',
        stream,
        expectedVersion,
        actualVersion,
      })
      expect(describeError(error).retryable).toBe(false)
    }
    const result = await inTransaction(async (tx) => {
      const error = await rejection(appendEvents(tx, 's', events('c'), { expectedVersion: 7 }))
      const actualVersion = error['actualVersion'] as number
      return appendEvents(tx, 's', events('c'), { expectedVersion: actualVersion })
    })
    expect(result.version).toBe(3)
    expect(await stored()).toEqual(['s 1 a', 's 2 b', 's 3 c'])
    expect(await streams()).toEqual(['s 3'])
  })

  test('Q5: the same ids again are a success with the old places, whatever is expected', async () => {
    const { db, inTransaction, stored, streams } = await openStore(variant)
    const first = await appendEvents(db, 's', events('a', 'b'), { expectedVersion: 'noStream' })
    await appendEvents(db, 's', events('c'), { expectedVersion: 2 })
    for (const expectedVersion of ['noStream', 'any', 'exists', 0, 2, 3, 9] as const) {
      expect(await appendEvents(db, 's', events('a', 'b'), { expectedVersion })).toEqual({
        ...first,
        isRepeat: true,
      })
    }
    const inside = await inTransaction((tx) =>
      appendEvents(tx, 's', events('c'), { expectedVersion: 'any' }),
    )
    expect(inside).toMatchObject({ version: 3, isRepeat: true })
    expect(await stored()).toEqual(['s 1 a', 's 2 b', 's 3 c'])
    expect(await streams()).toEqual(['s 3'])
  })

  test('Q5: ids that are there in part, or elsewhere, are an error that names them', async () => {
    const { db, stored } = await openStore(variant)
    await appendEvents(db, 's', events('a', 'b'), { expectedVersion: 'noStream' })
    const inPart = await rejection(
      appendEvents(db, 's', events('b', 'c'), { expectedVersion: 'any' }),
    )
    expect(inPart).toBeInstanceOf(EventIdError)
    expect(inPart).toMatchObject({ code: 'EVENT_ID', stream: 's', ids: ['b'] })
    const elsewhere = await rejection(
      appendEvents(db, 't', events('a'), { expectedVersion: 'any' }),
    )
    expect(elsewhere).toBeInstanceOf(EventIdError)
    expect(elsewhere.message).toContain('with the id "a" is in the stream "s"')
    expect(await stored()).toEqual(['s 1 a', 's 2 b'])
    expect(
      (await appendEvents(db, 't', events('d'), { expectedVersion: 'noStream' })).version,
    ).toBe(1)
  })

  test('Q6: with a global order positions have no gap, through rollbacks, repeats and conflicts', async () => {
    const order = { order: 'global' } as const
    const { db, inTransaction, stored } = await openStore(variant, order)
    const append = (tx: Kysely<any>, stream: string, ...ids: string[]) =>
      appendEvents(tx, stream, events(...ids), { expectedVersion: 'any', ...order })
    expect(await append(db, 's', 'a', 'b')).toMatchObject({
      events: [{ position: 1 }, { position: 2 }],
    })
    const rolledBack = inTransaction(async (tx) => {
      await append(tx, 't', 'x', 'y')
      throw undo
    })
    expect(await rejection(rolledBack)).toBe(undo)
    expect((await append(db, 's', 'a', 'b')).isRepeat).toBe(true)
    await rejection(appendEvents(db, 's', events('z'), { expectedVersion: 9, ...order }))
    await rejection(append(db, 't', 'b', 'c'))
    await inTransaction(async (tx) => {
      expect((await append(tx, 't', 'c')).events).toEqual([{ id: 'c', version: 1, position: 3 }])
      expect((await append(tx, 's', 'd')).events).toEqual([{ id: 'd', version: 3, position: 4 }])
    })
    expect(await append(db, 's', 'a')).toMatchObject({ events: [{ position: 1 }] })
    expect(await stored()).toEqual(['s 1 1 a', 's 2 2 b', 's 3 4 d', 't 1 3 c'])
  })

  test('a rollback takes the events back, and the versions with them', async () => {
    const { db, inTransaction, stored, streams } = await openStore(variant)
    const rolledBack = inTransaction(async (tx) => {
      await appendEvents(tx, 's', events('a'), { expectedVersion: 'noStream' })
      await appendEvents(tx, 's', events('b'), { expectedVersion: 1 })
      throw undo
    })
    expect(await rejection(rolledBack)).toBe(undo)
    expect(await stored()).toEqual([])
    expect(await streams()).toEqual([])
    await appendEvents(db, 's', events('a'), { expectedVersion: 'noStream' })
    expect(await stored()).toEqual(['s 1 a'])
  })

  test('a thousand events are appended in one go, and come back as they were', async () => {
    const { db, select } = await openStore(variant)
    const many = Array.from({ length: 1_200 }, (_, n) => ({
      id: `id ${n}`,
      type: 'größer',
      data: { n, text: `it's "${n}" \\ 𝄞` },
      ...(n % 2 === 0 && { metadata: { by: 'Ada' } }),
    }))
    const { version } = await appendEvents(db, 's', many, { expectedVersion: 'noStream' })
    expect(version).toBe(1_200)
    expect(
      (await appendEvents(db, 's', many, { expectedVersion: 'noStream' })).events.at(-1),
    ).toEqual({ id: 'id 1199', version: 1_200, position: undefined })
    const rows = await select(
      'select version, type, data, metadata from keelson_event where version in (1, 1200) order by version',
    )
    const parsed = (value: unknown): unknown =>
      typeof value === 'string' ? JSON.parse(value) : value
    expect(rows.map((row) => [row['type'], parsed(row['data']), parsed(row['metadata'])])).toEqual([
      ['größer', { n: 0, text: `it's "0" \\ 𝄞` }, { by: 'Ada' }],
      ['größer', { n: 1_199, text: `it's "1199" \\ 𝄞` }, null],
    ])
  })

  test('one request that is sent several times at once is appended once', async () => {
    const { db, stored } = await openStore(variant)
    const results = await Promise.all(
      Array.from({ length: 6 }, () =>
        appendEvents(db, 's', events('a', 'b'), { expectedVersion: 'noStream' }),
      ),
    )
    expect(results.filter(({ isRepeat }) => !isRepeat)).toHaveLength(1)
    expect(results.every(({ version }) => version === 2)).toBe(true)
    expect(await stored()).toEqual(['s 1 a', 's 2 b'])
  })

  test('of several who expect one version one succeeds, and the others are told the actual one', async () => {
    const { db, stored } = await openStore(variant)
    await appendEvents(db, 's', events('a'), { expectedVersion: 'noStream' })
    const settled = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        appendEvents(db, 's', events(`b${at}`), { expectedVersion: 1 }).catch(
          (error: EventConflictError) => error.actualVersion,
        ),
      ),
    )
    expect(settled.filter((each) => typeof each === 'object')).toHaveLength(1)
    expect(settled.filter((each) => each === 2)).toHaveLength(5)
    expect(await stored()).toHaveLength(2)
  })

  test('without tables the error says how to make them', async () => {
    const { db } = await open(variant)
    const error = await rejection(
      appendEvents(db, 's', events('a'), { expectedVersion: 'any', order: 'global' }),
    )
    expect(error).toBeInstanceOf(MissingTableError)
    expect(error.message).toContain("`await createEventTables(db, { order: 'global' })`")
  })

  test.skipIf(!engine.hasSavepoints)(
    'an append that fails is undone alone, and the transaction goes on',
    async () => {
      const { db, inTransaction, stored } = await openStore(variant)
      await appendEvents(db, 's', events('a'), { expectedVersion: 'noStream' })
      await inTransaction(async (tx) => {
        await appendEvents(tx, 's', events('b'), { expectedVersion: 1 })
        expect(
          await rejection(appendEvents(tx, 't', events('b'), { expectedVersion: 'any' })),
        ).toBeInstanceOf(EventIdError)
        await appendEvents(tx, 's', events('c'), { expectedVersion: 2 })
      })
      expect(await stored()).toEqual(['s 1 a', 's 2 b', 's 3 c'])
    },
  )
})

test('Q7: on SQLite each append writes before it reads', async () => {
  const { db, inTransaction, sent } = await openStore({ engine: sqliteOurs, isWrapped: false })
  await appendEvents(db, 's', events('a'), { expectedVersion: 'noStream' })
  expect(sent()).toEqual([
    'begin immediate',
    'insert into "keelson_stream" (stream, version) values (?, 0) on conflict (stream) do update set version = "keelson_stream".version returning cast(version as text) as version',
    'select event_id as id, stream, cast(version as text) as version from "keelson_event" where event_id in (?)',
    'update "keelson_stream" set version = ? where stream = ? and version = ? returning version',
    'insert into "keelson_event" (stream, version, event_id, type, data, metadata) values (?, ?, ?, ?, ?, ?)',
    'commit',
  ])
  await inTransaction((tx) => appendEvents(tx, 's', events('b'), { expectedVersion: 1 }))
  expect(sent().find((text) => !/^begin|^savepoint/.test(text))).toBe(
    'update "keelson_stream" set version = version where stream = ? returning cast(version as text) as version',
  )
})

test("Q7: on Kysely's SQLite, which begins deferred, the first statement takes the lock", async () => {
  const { db, sent } = await openStore({ engine: sqliteKysely, isWrapped: false })
  for (const expectedVersion of ['noStream', 'exists', 2, 'any'] as const) {
    const options = { expectedVersion, order: 'stream' } as const
    await appendEvents(db, 's', events(`${expectedVersion}`), options)
    expect(sent().slice(0, 2)).toEqual(['begin', expect.stringMatching(/^(insert|update) /)])
  }
})

test('without an id each event gets a new one', async () => {
  const { db } = await openStore({ engine: sqliteOurs, isWrapped: false })
  const event = { type: 'noted', data: null }
  const one = await appendEvents(db, 's', [event, event], { expectedVersion: 'any' })
  const two = await appendEvents(db, 's', [event], { expectedVersion: 2 })
  const ids = [...one.events, ...two.events].map(({ id }) => id)
  expect(new Set(ids).size).toBe(3)
  expect(ids[0]).toMatch(/^[0-9a-f]{8}-/)
})

test('what is impossible is refused before anything is sent', async () => {
  const { db, inTransaction, sent } = await openStore({ engine: sqliteOurs, isWrapped: true })
  const any = { expectedVersion: 'any' } as const
  const message = async (promise: Promise<unknown>): Promise<string> => {
    const error = await rejection(promise)
    expect(error.name).toMatch(/OptionError|IdentifierError/)
    return error.message
  }
  expect(await message(appendEvents(db, '', events('a'), any))).toContain('"" as `stream`')
  expect(await message(appendEvents(db, 's', [], any))).toBe(
    'appendEvents() cannot use an array of 0 as `events`. It takes an array of at least one event.',
  )
  expect(await message(appendEvents(db, 's', events('a'), {} as never))).toContain(
    "undefined as `expectedVersion`. It takes 'any', 'noStream', 'exists' or a version, from 0",
  )
  for (const expectedVersion of [-1, 1.5, NaN, 'none'] as never[])
    expect(await message(appendEvents(db, 's', events('a'), { expectedVersion }))).toContain(
      '`expectedVersion`',
    )
  expect(await message(appendEvents(db, 's', events('a', 'a'), any))).toContain('`events[1].id`')
  expect(await message(appendEvents(db, 's', [{ id: 'a' } as never], any))).toContain(
    '`events[0].type`',
  )
  const unknown = [{ type: 't', data: 1, meta: 2 } as never]
  expect(await message(appendEvents(db, 's', unknown, any))).toContain('no option `meta`')
  for (const data of [undefined, 1n, () => {}, Symbol('s')])
    expect(await message(appendEvents(db, 's', [{ type: 't', data }], any))).toContain(
      'as `events[0].data`: it cannot be written as JSON',
    )
  expect(
    await message(appendEvents(db, 's', events('a'), { ...any, order: 'total' } as never)),
  ).toContain('"total" as `order`')
  expect(
    await message(appendEvents(db, 's', events('a'), { ...any, tables: { event: 'e' } } as never)),
  ).toContain('Did you mean `events`?')
  expect(
    await message(appendEvents(db, 's', events('a'), { ...any, tables: { events: 'a\0' } })),
  ).toContain('NUL')
  expect(sent()).toEqual([])
  const inside = inTransaction((tx) =>
    appendEvents(tx, 's', events('a'), { ...any, retryForMs: 1 }),
  )
  expect(await message(inside)).toContain('can only run again as a whole')
})

test('tables have the names and the schema that are asked for', async () => {
  const { db } = await open({ engine: postgresql, isWrapped: false })
  await sql`create schema "my store"`.execute(db)
  const store = {
    schema: 'my store',
    order: 'global',
    tables: { events: 'e"v', streams: 's', sequences: 'n' },
  } as const
  await createEventTables(db, store)
  await appendEvents(db, 's', events('a'), { expectedVersion: 'any', ...store })
  const { events: places } = await appendEvents(db, 's', events('b'), {
    expectedVersion: 1,
    ...store,
  })
  expect(places).toEqual([{ id: 'b', version: 2, position: 2 }])
  const { rows } = await sql`select version from "my store"."e""v" order by position`.execute(db)
  expect(rows).toHaveLength(2)
})

test('tables with a global order take no event without a position, and those without one none with it', async () => {
  const { db, stored } = await openStore(
    { engine: sqliteOurs, isWrapped: false },
    { order: 'global' },
  )
  const error = await rejection(appendEvents(db, 's', events('a'), { expectedVersion: 'any' }))
  expect(describeError(error).category).toBe('notNull')
  expect(await stored()).toEqual([])
  const other = await openStore({ engine: sqliteOurs, isWrapped: false })
  const missing = await rejection(
    appendEvents(other.db, 's', events('a'), { expectedVersion: 'any', order: 'global' }),
  )
  expect(missing).toBeInstanceOf(MissingTableError)
})

describe.each([
  ['PostgreSQL', postgresql],
  ['MySQL', mysql],
] as const)('on %s', (_, engine) => {
  test.skipIf(engine.isMissing)(
    'an event that another transaction has appended under the same id to another stream is found',
    async () => {
      const { db, stored } = await openStore({ engine, isWrapped: false })
      const appended = (stream: string, hold: Promise<void>, locked: () => void) =>
        db.transaction().execute(async (tx) => {
          await appendEvents(tx, stream, events('same'), { expectedVersion: 'any' })
          locked()
          await hold
        })
      let release = (): void => {}
      const held = new Promise<void>((resolve) => (release = resolve))
      const first = new Promise<void>((locked) => void appended('s', held, locked))
      await first
      const second = rejection(appendEvents(db, 't', events('same'), { expectedVersion: 'any' }))
      await new Promise((resolve) => setTimeout(resolve, 50))
      release()
      expect(await second).toBeInstanceOf(EventIdError)
      expect(await stored()).toEqual(['s 1 same'])
    },
  )

  test.skipIf(engine.isMissing)(
    'appends to several streams in different orders, with a global order, do not deadlock',
    async () => {
      const store = { order: 'global' } as const
      const { inTransaction, select } = await openStore({ engine, isWrapped: true }, store)
      const names = ['a', 'b', 'c']
      await Promise.all(
        Array.from({ length: 12 }, (_, at) =>
          inTransaction(async (tx) => {
            for (let step = 0; step < 3; step++)
              await appendEvents(
                tx,
                names[(at + step * (1 + (at % 2))) % 3]!,
                events(`${at} ${step}`),
                {
                  expectedVersion: 'any',
                  ...store,
                },
              )
          }),
        ),
      )
      expect(
        await select('select max(position) as last, count(*) as n from keelson_event'),
      ).toEqual([{ last: 36, n: 36 }])
    },
  )
})

test.skipIf(mysql.isMissing)(
  'on MySQL a repeated append is found also by a transaction that does not see it yet',
  async () => {
    const { db, inTransaction, stored } = await openStore({ engine: mysql, isWrapped: false })
    const repeated = await inTransaction(async (tx) => {
      await sql`select * from keelson_event`.execute(tx)
      await appendEvents(db, 's', events('a'), { expectedVersion: 'any' })
      return appendEvents(tx, 's', events('a'), { expectedVersion: 'any' })
    })
    expect(repeated).toMatchObject({ version: 1, isRepeat: true })
    expect(await stored()).toEqual(['s 1 a'])
  },
)

test('on PostgreSQL a transaction that may not see what others append has to run again', async () => {
  const { db, stored } = await openStore({ engine: postgresql, isWrapped: false })
  await appendEvents(db, 's', events('a'), { expectedVersion: 'any' })
  const late = db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      await sql`select * from keelson_event`.execute(tx)
      await appendEvents(db, 's', events('b'), { expectedVersion: 1 })
      return appendEvents(tx, 's', events('c'), { expectedVersion: 1 })
    })
  expect(await rejection(late)).toBeInstanceOf(WriteConflictError)
  expect(await stored()).toEqual(['s 1 a', 's 2 b'])
})

describe('on DuckDB, whose writers do not wait for each other', () => {
  test("a conflict inside the caller's transaction says that it has to run again", async () => {
    const { db, inTransaction, stored } = await openStore({ engine: duckdb, isWrapped: true })
    await appendEvents(db, 's', events('a'), { expectedVersion: 'any' })
    await inTransaction(async () => {
      await appendEvents(db, 's', events('b'), { expectedVersion: 'any' })
      const error = await rejection(
        outside(db, () =>
          inTransaction(() => appendEvents(db, 's', events('c'), { expectedVersion: 'any' })),
        ),
      )
      expect(error).toBeInstanceOf(WriteConflictError)
      expect(describeError(error).retryable).toBe(true)
    })
    expect(await stored()).toEqual(['s 1 a', 's 2 b'])
  })
})
