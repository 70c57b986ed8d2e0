import { createTableSql, type PortableType } from '@keelson/indexes'
import type { Kysely } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase, rowsOf, run, tableOf } from './fixture.ts'

const types = {
  short: { kind: 'string', maxLength: 3 },
  small: { kind: 'int32' },
  flag: { kind: 'boolean' },
  day: { kind: 'date' },
  moment: { kind: 'datetime' },
  id: { kind: 'uuid' },
  state: { kind: 'enum', values: ['open', "it's"] },
  price: { kind: 'decimal', precision: 5, scale: 2 },
  ratio: { kind: 'decimal', precision: 2, scale: 2 },
  data: { kind: 'json' },
  tags: { kind: 'array', of: { kind: 'string' } },
} satisfies Readonly<Record<string, PortableType>>

const label: Readonly<Record<keyof typeof types, string>> = {
  short: 'at most 3 characters',
  small: 'int32',
  flag: 'boolean',
  day: 'date',
  moment: 'datetime',
  id: 'uuid',
  state: 'enum',
  price: 'decimal(5,2)',
  ratio: 'decimal(2,2)',
  data: 'json',
  tags: 'array of string',
}

const taken: Readonly<Record<keyof typeof types, readonly unknown[]>> = {
  short: ['', 'abc', '\u{1f600}\u{1f600}\u{1f600}', 'a\0bcdef', null],
  small: [-(2 ** 31), 2 ** 31 - 1, 0, '7', null],
  flag: [true, false, 0, 1, null],
  day: ['0001-01-01', '2024-02-29', '9999-12-31', null],
  moment: [
    '1970-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    new Date('2026-11-30T12:34:56.789Z'),
    null,
  ],
  id: ['550e8400-e29b-41d4-a716-446655440000', '550E8400-E29B-41D4-A716-446655440000', null],
  state: ['open', "it's", null],
  price: ['123.45', '-123.45', '0', '0.5', '1.5', 1.5, 7, '007', null],
  ratio: ['0.12', '-0.99', '0', null],
  data: ['{"a":1}', '[]', '1', '"x"', 'null', null],
  tags: ['[]', '["a","b"]', null],
}

const refused: Readonly<Record<keyof typeof types, readonly unknown[]>> = {
  short: ['abcd'],
  small: [2 ** 31, -(2 ** 31) - 1],
  flag: [2, -1],
  day: ['2023-02-29', '2024-1-1', '2024-01-01T00:00:00.000Z', 'today', '', '2460000', 'now'],
  moment: ['2026-11-30T12:34:56Z', '2026-11-30 12:34:56.789', '2026-13-01T00:00:00.000Z', 'now'],
  id: [
    '550e8400e29b41d4a716446655440000',
    '550e8400-e29b-41d4-a716-44665544000g',
    '550e8400-e29b-41d4-a716-4466554400-0',
    '',
  ],
  state: ['Open', '', 'closed'],
  price: ['1234.5', '1.234', '1e3', 'abc', '', '-', '.5', '1.', '--1', '1.2.3', ' 1', '+1'],
  ratio: ['10.1', '0.123'],
  data: ['{', 'x', ''],
  tags: ['{}', '"a"', '1', 'x'],
}

describe('the CHECKs of types on SQLite', () => {
  let db: Kysely<any>
  beforeAll(async () => {
    db = await openDatabase('sqlite')
    await run(db, ...createTableSql(tableOf('sample', types), 'sqlite'))
  })
  afterAll(() => db.destroy())

  describe.each(Object.keys(types) as (keyof typeof types)[])('%s', (column) => {
    it('take every value of the type', async () => {
      for (const value of taken[column])
        await rowsOf(db, `insert into sample (${column}) values (?)`, [value])
    })

    it('refuse every other, and say what the column takes', async () => {
      for (const value of refused[column]) {
        const inserted = rowsOf(db, `insert into sample (${column}) values (?)`, [value])
        // SQLite itself refuses the moment of the statement in a CHECK.
        const message =
          value === 'now'
            ? 'non-deterministic use of strftime() in a CHECK constraint'
            : `CHECK constraint failed: ${column}: ${label[column]}`
        await expect(inserted, String(value)).rejects.toThrow(message)
      }
    })
  })

  it('take every millisecond of a second, and every day of four centuries', async () => {
    const moments = Array.from({ length: 1000 }, (_, ms) => new Date(ms).toISOString())
    const days = Array.from({ length: 146_100 }, (_, day) =>
      new Date((day - 100_000) * 86_400_000).toISOString().slice(0, 10),
    )
    const from = (column: string): string =>
      `insert into sample (${column}) select value from json_each(?)`
    await rowsOf(db, from('moment'), [JSON.stringify(moments)])
    await rowsOf(db, from('day'), [JSON.stringify(days)])
  })
})

describe('a type that means nothing', () => {
  it.each<[PortableType, string]>([
    [{ kind: 'enum', values: [] }, 'an enum has at least one value'],
    [{ kind: 'enum', values: ['a', 'a'] }, 'an enum has each of its values once'],
    [{ kind: 'decimal', precision: 2, scale: 3 }, 'not (2, 3)'],
    [{ kind: 'decimal', precision: 39, scale: 0 }, 'not (39, 0)'],
    [{ kind: 'string', maxLength: -1 }, '`maxLength` is a whole number from 0, not -1'],
    [{ kind: 'text' } as unknown as PortableType, 'there is no type "text"'],
  ])('%j is refused', (type, why) => {
    expect(() => createTableSql(tableOf('t', { c: type }), 'postgresql')).toThrow(
      expect.objectContaining({
        code: 'INVALID_DEFINITION',
        message: expect.stringContaining(why),
      }),
    )
  })
})

describe("a type in the engine's own words", () => {
  const created = (native: string): string => {
    const [column] = tableOf('t', { c: { kind: 'string' } }).columns
    const columns = [{ ...column!, override: { postgresql: native } }]
    return createTableSql({ ...tableOf('t', {}), columns }, 'postgresql').join(';\n')
  }

  it.each([
    'varchar(20)',
    'timestamp(3) with time zone',
    'text collate "C"',
    '"My Types"."mood"[]',
    "enum('a', 'b;c')",
    'struct(a integer, b varchar)',
    'double precision',
  ])('%s is taken as it is', (native) => {
    expect(created(native)).toContain(`"c" ${native}\n`)
  })

  it.each([
    'text); drop table users; --',
    'text default 1',
    'text not null',
    'text, evil text',
    'text check (true)',
    'text -- comment',
    'text /* comment */',
    'text primary key',
    'text references users',
    'text)',
    'text(',
    '',
    'int generated always as (1) stored',
    "text 'unfinished",
    'text; select 1',
  ])('%s is refused, since it is more than a type', (native) => {
    expect(() => created(native)).toThrow(expect.objectContaining({ code: 'INVALID_DEFINITION' }))
  })
})
