import { eq } from 'drizzle-orm'
import { expect } from 'vitest'
import type { Sample } from '../../support/schema.ts'
import type { Contract } from '../contract.ts'
import type { Store } from '../orm.ts'

/** Values come back as they were written, or not at all; never as others. */
export function valueCases({ it, open, failureOf, engine, orm }: Contract): void {
  it('keeps text in every script, of every length, with every quote', async () => {
    const db = await open()
    for (const text of texts)
      expect(await roundTrip(db, 'label', text), text.slice(0, 20)).toBe(text)
  })

  it('keeps text with the character U+0000 in it whole', ['nulInText'], async () => {
    const db = await open()
    for (const text of ['\0', 'a\0b', 'trailing\0'])
      expect(await roundTrip(db, 'label', text)).toBe(text)
  })

  it('compares text exactly, so that what was written is found', async () => {
    const db = await open()
    await Promise.all(texts.map((label, id) => write(db, { id, label })))
    for (const [id, label] of texts.entries()) expect(await idsLabelled(db, label)).toEqual([id])
  })

  it('keeps integers up to the largest that a number holds exactly', async () => {
    const db = await open()
    for (const whole of [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)])
      expect(await roundTrip(db, 'whole', whole)).toBe(whole)
    for (const big of [2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      expect(await roundTrip(db, 'big', big)).toBe(big)
    }
  })

  it(
    'refuses to read an integer that a number would round, and names the column (S13)',
    ['failsAlone'],
    async () => {
      const db = await open()
      await write(db, { id: 1, big: 9_007_199_254_740_993n })
      const failure = await failureOf(read(db, 'big', 1))
      expect(failure).toMatchObject({ code: 'INT64_RANGE', column: 'big' })
      expect(failure.message).toContain('9007199254740993')
    },
  )

  it('keeps every digit of 64-bit integers as bigint', async () => {
    const db = await open({ int64: 'bigint' })
    for (const big of bigints) expect(await roundTrip(db, 'big', big)).toBe(big)
  })

  it('keeps every digit of 64-bit integers as text', async () => {
    const db = await open({ int64: 'string' })
    for (const big of bigints) expect(await roundTrip(db, 'big', big)).toBe(String(big))
  })

  it('finds a row by a 64-bit integer, and not its neighbours', async () => {
    const db = await open({ int64: 'bigint' })
    await write(db, { id: 1, big: 9_007_199_254_740_992n })
    await write(db, { id: 2, big: 9_007_199_254_740_993n })
    const ids = await db.query({
      kysely: async (kysely) => {
        const rows = await kysely
          .selectFrom('sample')
          .select('id')
          .where('big', '=', 9_007_199_254_740_993n)
          .execute()
        return rows.map(({ id }) => Number(id))
      },
      drizzle: async (drizzle, { sample }) => {
        const rows = await drizzle
          .select({ id: sample.id })
          .from(sample)
          .where(eq(sample.big, 9_007_199_254_740_993n))
        return rows.map(({ id }) => Number(id))
      },
    })
    expect(ids).toEqual([2])
  })

  it('keeps every bit of a number', async () => {
    const db = await open()
    for (const ratio of [
      0.1,
      1 / 3,
      -0.5,
      3,
      1e21,
      5e-324,
      Number.MAX_VALUE,
      Infinity,
      -Infinity,
    ]) {
      expect(await roundTrip(db, 'ratio', ratio)).toBe(ratio)
    }
  })

  it('keeps bytes: all 256, none, a megabyte, and of a view only what it shows', async () => {
    const db = await open()
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const large = new Uint8Array(2 ** 20).map((_, index) => index * 7)
    for (const bytes of [
      all,
      new Uint8Array(),
      large,
      all.subarray(100, 110),
      Buffer.from('text'),
    ]) {
      const found = (await roundTrip(db, 'bytes', bytes)) as Uint8Array
      expect(Buffer.compare(found, bytes)).toBe(0)
    }
  })

  it('keeps null apart from zero, from empty text and from no bytes', async () => {
    const db = await open()
    await write(db, { id: 1 })
    await write(db, {
      id: 2,
      label: '',
      whole: 0,
      big: 0,
      ratio: 0,
      bytes: new Uint8Array(),
      flag: false,
    })
    for (const column of ['label', 'whole', 'big', 'ratio', 'bytes', 'flag', 'moment'] as const) {
      expect(await read(db, column, 1), column).toBeNull()
      if (column !== 'moment') expect(await read(db, column, 2), column).not.toBeNull()
    }
  })

  it('writes undefined as null (S14)', async () => {
    const db = await open()
    await write(db, { id: 1, label: undefined as unknown as null, whole: 1 })
    expect(await read(db, 'label', 1)).toBeNull()
  })

  it('writes booleans, and reads what the ORM makes of them (S14)', async () => {
    const db = await open()
    for (const flag of [true, false]) {
      const expected = orm.mapsValues ? flag : engine.kyselyReads.flag(flag)
      expect(await roundTrip(db, 'flag', flag)).toBe(expected)
    }
  })

  it('writes dates to the millisecond, and reads what the ORM makes of them (S14)', async () => {
    const db = await open()
    for (const moment of [
      new Date('2026-11-20T12:34:56.789Z'),
      new Date(0),
      new Date('1901-02-03T04:05:06.007Z'),
    ]) {
      const expected = orm.mapsValues ? moment : engine.kyselyReads.moment(moment)
      expect(await roundTrip(db, 'moment', moment)).toEqual(expected)
    }
  })

  it('refuses a value that the engine has no type for, and stores nothing', async () => {
    const db = await open()
    const odd = Symbol('odd') as unknown as string
    await failureOf(write(db, { id: 1, label: odd }))
    expect(await db.rows('select id from sample')).toEqual([])
  })

  it('leaves the objects that were passed as they were', async () => {
    const db = await open()
    const row = Object.freeze({
      id: 1,
      label: 'x',
      bytes: Buffer.from([1, 2]),
      moment: new Date(5),
      flag: true,
    })
    await write(db, row)
    expect(row).toEqual({
      id: 1,
      label: 'x',
      bytes: Buffer.from([1, 2]),
      moment: new Date(5),
      flag: true,
    })
  })
}

const texts = [
  '',
  ' ',
  'Ada',
  'ada',
  `it's "quoted" \`so\` [or] so`,
  "'; drop table account; --",
  'line\nbreak\r\ttab\\slash',
  'Ελληνικά 日本語 עברית العربية',
  'é', // one code point, and below it the same letter as two
  'e\u0301',
  '😀 👩‍👩‍👧‍👦 \u{10FFFF}',
  '%_?$1:name@name',
  '1',
  '1.0',
  'null',
  'x'.repeat(2 ** 20),
]

const bigints = [0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)]

let lastId = 1000

async function roundTrip<K extends keyof Sample>(
  db: Store,
  column: K,
  value: Sample[K],
): Promise<unknown> {
  const id = ++lastId
  await write(db, { id, [column]: value })
  return read(db, column, id)
}

async function write(db: Store, row: { id: number } & Partial<Sample>): Promise<void> {
  await db.query<unknown>({
    kysely: (kysely) => kysely.insertInto('sample').values(row).execute(),
    drizzle: (drizzle, { sample }) =>
      drizzle.insert(sample).values(row as typeof sample.$inferInsert),
  })
}

async function read(db: Store, column: keyof Sample, id: number): Promise<unknown> {
  const [row] = await db.query<Record<string, unknown>[]>({
    kysely: (kysely) => kysely.selectFrom('sample').select(column).where('id', '=', id).execute(),
    drizzle: (drizzle, { sample }) =>
      drizzle
        .select({ [column]: sample[column] })
        .from(sample)
        .where(eq(sample.id, id)),
  })
  return row?.[column]
}

async function idsLabelled(db: Store, label: string): Promise<number[]> {
  const rows = await db.query({
    kysely: (kysely) =>
      kysely.selectFrom('sample').select('id').where('label', '=', label).execute(),
    drizzle: (drizzle, { sample }) =>
      drizzle.select({ id: sample.id }).from(sample).where(eq(sample.label, label)),
  })
  return rows.map(({ id }) => id)
}
