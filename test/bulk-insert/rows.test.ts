import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { describeOn, pairs, type Row, traits } from './engines.ts'

describeOn(pairs, 'rows', (db, pair) => {
  const { hasReturning } = traits[pair.kind]

  test('takes a missing or undefined key for the default, and null for NULL', async () => {
    const columns = { id: 'int primary key', a: 'int default 7', b: 'text' }
    const table = await db().create('t', { columns })
    const report = await db().bulk(table, [
      { id: 1, a: 1, b: 'x' },
      { id: 2, b: 'y' },
      { id: 3, a: undefined, b: 'z' },
      { id: 4, a: null, b: null },
      { id: 5, b: undefined },
      { b: 'other order', a: 6, id: 6 },
      { id: 7, a: 8 },
    ])
    expect(report).toMatchObject({ attempted: 7, inserted: 7, rejected: 0 })
    expect(await db().all('t')).toEqual([
      [1, 1, 'x'],
      [2, 7, 'y'],
      [3, 7, 'z'],
      [4, null, null],
      [5, 7, null],
      [6, 6, 'other order'],
      [7, 8, null],
    ])
  })

  test('inserts rows whose keys vary from row to row in their order', async () => {
    const columns = { id: 'int primary key', a: 'int', b: 'int', c: 'int' }
    const table = await db().create('t', { columns })
    const rows = Array.from({ length: 100 }, (_, id): Row => {
      const row: Row = { id }
      for (const [at, key] of ['a', 'b', 'c'].entries()) if ((id >> at) % 2 === 0) row[key] = id
      return row
    })
    expect(await db().bulk(table, rows)).toMatchObject({ inserted: 100 })
    expect(await db().all('t')).toEqual(
      rows.map(({ id, a = null, b = null, c = null }) => [id, a, b, c]),
    )
  })

  test('takes SQL for a value, among others', async () => {
    const table = await db().create('t', {
      columns: { id: 'int primary key', n: 'int', name: 'text' },
    })
    const report = await db().bulk(table, [
      { id: 1, n: 1, name: 'a' },
      { id: 2, n: db().sql('1 + 1'), name: "it's" },
      { id: 3, n: 3, name: db().sql("upper('abc')") },
      { id: 4, n: 4, name: 'd' },
    ])
    expect(report).toMatchObject({ attempted: 4, inserted: 4, updated: 0, skipped: 0 })
    expect(await db().all('t')).toEqual([
      [1, 1, 'a'],
      [2, 2, "it's"],
      [3, 3, 'ABC'],
      [4, 4, 'd'],
    ])
    const again = { id: 1, n: db().sql('100'), name: 'b' }
    const skip = await db().bulk(table, [again, { id: 5 }], { onConflict: 'skip' })
    expect(skip).toMatchObject({ attempted: 2, inserted: 1, updated: 0, skipped: 1 })
  })

  test('has columns of any name', async () => {
    const names = [
      'constructor',
      'toString',
      'hasOwnProperty',
      'a b',
      "it's",
      'naïve',
      'select',
      'Ärger',
      '$1',
      '?',
      ':x',
    ]
    if (pair.kind !== 'mysql') names.push('say "hi"', 'ship 🚢')
    // As keys of Drizzle's table it would be the prototype of an object.
    if (pair.orm === 'kysely') names.push('__proto__')
    const columns = Object.fromEntries(names.map((name) => [name, 'int']))
    const table = await db().create(
      'odd "names"'.replaceAll('"', pair.kind === 'mysql' ? '' : '"'),
      {
        columns: { id: 'int primary key', ...columns },
      },
    )
    const rows = [1, 2, 3].map((id) =>
      Object.fromEntries([['id', id], ...names.map((name, at) => [name, id * 100 + at] as const)]),
    )
    expect(await db().bulk(table, rows)).toMatchObject({ inserted: 3 })
    const without = Object.fromEntries([
      ['id', 4],
      ['a b', 1],
    ])
    expect(await db().bulk(table, [without, rows[0]], { onConflict: 'skip' })).toMatchObject({
      inserted: 1,
      skipped: 1,
    })
    const name = pair.kind === 'mysql' ? 'odd names' : 'odd "names"'
    const aliased = ['id', ...names].map((each, at) => `${db().quote(each)} as c${at}`).join()
    const stored = await db().rows(`select ${aliased} from ${db().quote(name)} order by id`)
    expect(stored.slice(0, 3).map((row) => Object.values(row))).toEqual(
      rows.map((row) => Object.values(row)),
    )
    expect(Object.values(stored[3]!).filter((value) => value !== null)).toEqual([4, 1])
  })

  describe('whose keys are written otherwise than the columns', () => {
    const isOne = pair.kind !== 'postgresql'
    const spec = { columns: { id: 'int primary key', name: 'text not null', n: 'int default 7' } }
    const other = { ID: 'int', Name: 'text', N: 'int' }
    const options = (target: string, update: unknown) => ({ onConflict: { target, update } })

    test.runIf(isOne)('takes them for those that the engine means', async () => {
      await db().create('t', spec)
      const table = db().table('t', other)
      const rows = [
        { ID: 1, Name: 'a', N: 1 },
        { ID: 2, Name: 'b' },
      ]
      expect(await db().bulk(table, rows)).toMatchObject({ inserted: 2 })
      const again = [
        { ID: 1, Name: 'c', N: 2 },
        { ID: 3, Name: 'd', N: 3 },
      ]
      const all = await db().bulk(table, again, options('ID', 'all'))
      expect(all).toMatchObject({ inserted: 1, updated: 1 })
      const named = await db().bulk(table, [{ ID: 2, Name: 'e', N: 4 }], options('ID', ['N']))
      expect(named).toMatchObject({ inserted: 0, updated: 1 })
      expect(await db().all('t')).toEqual([
        [1, 'c', 2],
        [2, 'b', 4],
        [3, 'd', 3],
      ])
    })

    test.runIf(isOne && hasReturning)('returns what is asked for so', async () => {
      await db().create('t', spec)
      const got: Row[] = []
      await db().bulk(db().table('t', other), [{ ID: 1, Name: 'a' }], {
        returning: ['ID', 'N'],
        onReturned: (rows) => void got.push(...rows),
      })
      // Kysely's rows have the names that the engine gives.
      const [row] = got.map((each) =>
        Object.entries(each).map(([key, value]) => [key.toUpperCase(), value]),
      )
      expect(row).toEqual([
        ['ID', 1],
        ['N', 7],
      ])
      if (pair.orm === 'drizzle') expect(Object.keys(got[0]!)).toEqual(['ID', 'N'])
    })

    test.runIf(isOne && pair.orm === 'kysely')(
      'has options that write them otherwise',
      async () => {
        const table = await db().create('t', spec)
        const rows = [
          { id: 1, Name: 'a', n: 1 },
          { ID: 2, name: 'b', N: 2 },
          { Id: 1, NAME: 'c', n: 3 },
        ]
        expect(await db().bulk(table, rows.slice(0, 2))).toMatchObject({ inserted: 2 })
        const list = await db().bulk(table, rows.slice(1), options('Id', ['N']))
        expect(list).toMatchObject({ inserted: 0, updated: 2 })
        const all = await db().bulk(table, [{ ID: 2, name: 'x' }, rows[2]], options('iD', 'all'))
        expect(all).toMatchObject({ inserted: 0, updated: 2 })
        expect(await db().all('t')).toEqual([
          [1, 'c', 3],
          [2, 'x', 2],
        ])
      },
    )

    test.runIf(isOne)('names the column that is to blame as the row does', async () => {
      await db().create('t', spec)
      const rows = [
        { ID: 1, Name: 'a' },
        { ID: 2, Name: null },
      ]
      const error = await rejection(db().bulk(db().table('t', other), rows))
      expect(error).toMatchObject({ rowIndex: 1, ...(pair.kind !== 'mysql' && { column: 'Name' }) })
    })

    test.runIf(pair.orm === 'kysely')('refuses two keys that are the same column', async () => {
      const table = await db().create('t', spec)
      const rows = [
        { id: 1, name: 'a', n: 1 },
        { id: 2, name: 'b', NAME: 'c' },
      ]
      const error = await rejection(db().bulk(table, rows))
      const code = isOne ? 'REPEATED_COLUMN' : 'UNKNOWN_COLUMN'
      expect(error).toMatchObject({ rowIndex: 1, column: 'NAME', cause: { code } })
      if (isOne) {
        expect(error.message).toBe(
          'Row 1 of the input has the keys "name" and "NAME", which are the same column. Leave one out. Nothing was written.',
        )
      }
      expect(await db().count('t')).toBe(0)
    })

    test.runIf(pair.kind === 'sqlite' || pair.kind === 'duckdb')(
      'tells letters apart that are not of ASCII, as the engine does',
      async () => {
        await db().create('t', { columns: { id: 'int primary key', über: 'int', Über: 'int' } })
        const table = db().table('t', { id: 'int', über: 'int', Über: 'int' })
        expect(await db().bulk(table, [{ id: 1, über: 2, Über: 3 }])).toMatchObject({ inserted: 1 })
        expect(await db().all('t')).toEqual([[1, 2, 3]])
      },
    )
  })

  test('takes no value that every object has for one of the row', async () => {
    const columns = { id: 'int primary key', constructor: 'int', n: 'int' }
    const table = await db().create('t', { columns })
    const rows: Row[] = [
      { id: 1, constructor: 5 },
      { id: 2, n: 6 },
      { id: 3, constructor: 7 },
    ]
    expect(await db().bulk(table, rows)).toMatchObject({ inserted: 3 })
    expect(await db().all('t')).toEqual([
      [1, 5, null],
      [2, null, 6],
      [3, 7, null],
    ])
  })

  test('has keys that look like numbers, in the target and in the rows', async () => {
    const columns = { b: 'int', '1': 'int', a: 'int', '0': 'text' }
    const table = await db().create('t', {
      columns,
      constraints: [`unique (b, ${db().quote('1')})`],
    })
    const rows = [
      { b: 1, '1': 2, a: 3, '0': 'x' },
      { a: 6, '1': 5, '0': 'y', b: 4 },
    ]
    const onConflict = { target: ['b', '1'], update: ['a', '0'] }
    expect(await db().bulk(table, rows, { onConflict })).toMatchObject({ inserted: 2 })
    const again = rows.map((row) => ({ ...row, a: 0 }))
    expect(await db().bulk(table, again, { onConflict })).toMatchObject({ updated: 2 })
    const one = db().quote('1')
    const zero = db().quote('0')
    const stored = await db().rows(`select b, ${one} as one, a, ${zero} as zero from t order by b`)
    expect(stored.map(({ b, one, a, zero }) => ({ b, '1': one, a, '0': zero }))).toEqual(again)
  })

  test('stores text as it is', async () => {
    const table = await db().create('t', { columns: { id: 'int primary key', name: 'text' } })
    const texts = [
      '',
      ' ',
      'a"b',
      "a'b",
      'a\\b',
      '\\',
      '"',
      '{}',
      '{"a","b"}',
      'NULL',
      'null',
      'a,b',
      'line\nbreak\r\n\ttab',
      'ünï 🚢 漢字',
      '$1',
      '?',
      '%s',
      '\u0001',
      '\u2028',
      '(1)',
    ]
    const rows = texts.map((name, id) => ({ id, name }))
    expect(await db().bulk(table, rows)).toMatchObject({ inserted: rows.length })
    expect((await db().all('t')).map(([, name]) => name)).toEqual(texts)
  })

  test('takes more rows than a statement has parameters', async () => {
    const columns = Object.fromEntries(
      ['id', 'a', 'b', 'c', 'd', 'e', 'f', 'g'].map((key) => [
        key,
        key === 'id' ? 'int primary key' : 'int',
      ]),
    )
    const table = await db().create('t', { columns })
    const rows = Array.from({ length: 9_000 }, (_, id) => ({
      id,
      a: 1,
      b: 2,
      c: 3,
      d: 4,
      e: 5,
      f: 6,
      g: 7,
    }))
    // MySQL takes a second for this under Drizzle.
    expect(await db().bulk(table, rows, { batchRows: 9_000 })).toMatchObject({
      inserted: 9_000,
      batches: 1,
    })
    expect(await db().count('t')).toBe(9_000)
  })

  test('takes a table of 300 columns', async () => {
    const keys = Array.from({ length: 300 }, (_, at) => `c${at}`)
    const columns = Object.fromEntries(
      keys.map((key) => [key, key === 'c0' ? 'int primary key' : 'int']),
    )
    const table = await db().create('wide', { columns })
    const rows = Array.from({ length: 260 }, (_, id) =>
      Object.fromEntries(keys.map((key, at) => [key, id + at])),
    )
    expect(await db().bulk(table, rows)).toMatchObject({ inserted: 260 })
    const more = rows.slice(250).map((row) => ({ ...row, c299: -1 }))
    const onConflict = { target: 'c0', update: 'all' }
    expect(await db().bulk(table, more, { onConflict })).toMatchObject({ inserted: 0, updated: 10 })
    const [row] = await db().rows('select c299 from wide where c0 = 255')
    expect(Number(row!['c299'])).toBe(-1)
  })

  describe('that cannot be inserted', () => {
    const spec = { columns: { id: 'int primary key', name: 'text not null', n: 'int' } }

    test('says which key is no column, and which columns there are', async () => {
      const table = await db().create('t', spec)
      const rows = [
        { id: 1, name: 'a' },
        { id: 2, name: 'b', nmae: 'c' },
      ]
      const error = await rejection(db().bulk(table, rows))
      expect(error).toMatchObject({
        rowIndex: 1,
        column: 'nmae',
        cause: { code: 'UNKNOWN_COLUMN' },
      })
      expect(error.message).toBe(
        'Row 1 of the input has the key "nmae", and "t" has no such column. It has: id, name, n. Nothing was written.',
      )
      for (const key of ['constructor', '__proto__', 'hasOwnProperty']) {
        const row = Object.fromEntries([
          ['id', 1],
          ['name', 'a'],
          [key, 1],
        ])
        expect(await rejection(db().bulk(table, [row]))).toMatchObject({ rowIndex: 0, column: key })
      }
      expect(await db().count('t')).toBe(0)
    })

    test('says which column is missing', async () => {
      const table = await db().create('t', spec)
      const error = await rejection(db().bulk(table, [{ id: 1, name: 'a' }, { id: 2 }]))
      // MySQL fills it in where it is not strict.
      expect(error).toMatchObject({ rowIndex: 1, ...(pair.kind !== 'mysql' && { column: 'name' }) })
      const withNull = await rejection(
        db().bulk(table, [
          { id: 1, name: 'a' },
          { id: 2, name: null },
        ]),
      )
      expect(withNull).toMatchObject({
        rowIndex: 1,
        ...(pair.kind !== 'mysql' && { column: 'name' }),
      })
    })

    test.each([
      ['null', null],
      ['undefined', undefined],
      ['a number', 5],
      ['a string', 'row'],
      ['an array', [1, 'a']],
    ])('says that a row is %s', async (_, row) => {
      const table = await db().create('t', spec)
      const error = await rejection(db().bulk(table, [{ id: 1, name: 'a' }, row]))
      expect(error).toMatchObject({ rowIndex: 1, cause: { code: 'NOT_A_ROW' } })
      expect(error.message).toMatch(
        /A row is an object whose keys are columns\. Nothing was written\.$/,
      )
    })

    test('says that a row has no values', async () => {
      const table = await db().create('t', { columns: { id: 'int', name: 'text' } })
      for (const empty of [{}, { id: undefined }]) {
        const error = await rejection(db().bulk(table, [{ id: 1 }, empty]))
        expect(error).toMatchObject({ rowIndex: 1, cause: { code: 'NOT_A_ROW' } })
        expect(error.message).toMatch(
          /^Row 1 of the input has no values\. .* Nothing was written\.$/,
        )
      }
      expect(await db().count('t')).toBe(0)
    })

    test('shows no value of a row, unless it is asked to', async () => {
      const secret = 'hunter2'
      const table = await db().create('t', { ...spec, constraints: ['unique (name)'] })
      await db().bulk(table, [{ id: 1, name: secret }])
      const again = [
        { id: 2, name: 'x' },
        { id: 3, name: secret },
      ]
      const hidden = await rejection(db().bulk(table, again))
      expect(hidden).toMatchObject({ rowIndex: 1 })
      expect(hidden.message).not.toContain(secret)
      const shown = await rejection(db().bulk(table, again, { showValues: true }))
      if (pair.kind !== 'sqlite')
        expect(shown.message + (shown.cause as Error).message).toContain(secret)
    })

    test.skipIf(pair.kind === 'sqlite')(
      'refuses a value of the wrong type, and does not show it',
      async () => {
        const table = await db().create('t', spec)
        const rows = [
          { id: 1, name: 'a', n: 1 },
          { id: 2, name: 'b', n: 'hunter2' },
          { id: 3, name: 'c', n: 3 },
        ]
        const error = await rejection(db().bulk(table, rows))
        expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: 1 })
        expect(error.message).not.toContain('hunter2')
        expect(await db().count('t')).toBe(0)
      },
    )

    // mysql2 writes a symbol as text.
    test.skipIf(pair.kind === 'mysql')('refuses what no driver can bind', async () => {
      const table = await db().create('t', spec)
      const rows = [
        { id: 1, name: 'a' },
        { id: 2, name: Symbol('x') },
      ]
      const error = await rejection(db().bulk(table, rows))
      expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: 1 })
      expect(await db().count('t')).toBe(0)
    })

    test('names the table that is not there', async () => {
      const table = db().table('nowhere', { id: 'int' })
      const error = await rejection(db().bulk(table, [{ id: 1 }]))
      expect(error).toMatchObject({ name: 'BulkInsertError', cause: { code: 'NO_TABLE' } })
      expect(error.message).toMatch(
        /There is no table "nowhere" to insert into\..* Nothing was written\.$/,
      )
      expect(error.message.match(/Nothing was written/g)).toHaveLength(1)
    })
  })

  describe('of a table with a generated column', () => {
    const columns = {
      id: 'int primary key',
      n: 'int',
      twice: 'int generated always as (n * 2) stored',
    }
    const spec = {
      columns: {
        ...columns,
        ...(pair.kind === 'duckdb' && { twice: 'int generated always as (n * 2) virtual' }),
      },
    }

    test('leaves it to the engine', async () => {
      const table = await db().create('t', spec)
      expect(
        await db().bulk(table, [
          { id: 1, n: 2 },
          { id: 2, n: 3 },
        ]),
      ).toMatchObject({ inserted: 2 })
      expect(await db().all('t')).toEqual([
        [1, 2, 4],
        [2, 3, 6],
      ])
      const error = await rejection(db().bulk(table, [{ id: 3, n: 2, twice: 5 }]))
      expect(error).toMatchObject({ name: 'BulkInsertError' })
    })

    test.skipIf(!hasReturning)('returns it', async () => {
      const table = await db().create('t', spec)
      const got: Row[] = []
      await db().bulk(table, [{ id: 1, n: 2 }], {
        returning: ['id', 'twice'],
        onReturned: (rows) => void got.push(...rows),
      })
      expect(got).toEqual([{ id: 1, twice: 4 }])
    })
  })
})
