import { fingerprint } from '@keelson/timing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const textOf = (sql: string): string => fingerprint(sql).text

describe('the text of a fingerprint', () => {
  test.for([
    ['select * from t where id in (?, ?, ?)', 'select * from t where id in (?+)'],
    ['select * from t where id in ($1) and a = $2', 'select * from t where id in (?+) and a = ?'],
    ['insert into t (a, b) values (?, ?), (?, ?)', 'insert into t (a, b) values (?+)'],
    [
      'insert into t (a, b) values (?, null), (default, -1.5e3)',
      'insert into t (a, b) values (?+)',
    ],
    ['insert into t values (?, now()), (?, now())', 'insert into t values (?, now())'],
    ['select * from t where (a, b) in ((1, 2), (3, 4))', 'select * from t where (a, b) in ((?+))'],
    ['select array[$1, $2]::int[], any($3)', 'select array[?+]::int[], any(?+)'],
    ['insert into t values ($1::int, $2::numeric(10, 2))', 'insert into t values (?+)'],
    ["select 'it''s', x'ff', E'a', 0x1F, 1.5e-3, .5", 'select ?, ?, ?, ?, ?, ?'],
    [String.raw`select E'it\'s', e'a''b\\', 'c\'`, 'select ?, ?, ?'],
    ["select array[a, 'b'], [d e]", 'select array[a, ?], [d e]'],
    ['select $tag$ it\'s " $tag$, :name, @other', 'select ?, ?, ?'],
    ['select "a""b", `c`, [d e] from "t"', 'select "a""b", `c`, [d e] from "t"'],
    [
      'select a1, b_2 from t3 -- a comment\n where /* another */ x=1',
      'select a1, b_2 from t3 where x=?',
    ],
    ['  select\n\t1 ,  2  ', 'select ?, ?'],
    ['select lower(?), f(?, ?)', 'select lower(?), f(?, ?)'],
    ["select data ->> 'a', a::text, b := 1, c <> 2", 'select data ->> ?, a::text, b := ?, c <> ?'],
  ])('of %s is %s', ([sql, text]) => {
    expect(textOf(sql!)).toBe(text)
  })

  test('is the same however long a list is, whatever the values are, and however it is laid out', () => {
    const value = fc.constantFrom(
      '?',
      '$7',
      '42',
      "'a''b'",
      'null',
      '-1',
      ':name',
      'default',
      "'),('",
    )
    const space = fc.constantFrom(' ', '\n', ' /* x */ ', ' -- y\n')
    const row = fc
      .array(value, { minLength: 1, maxLength: 9 })
      .map((values) => `(${values.join(', ')})`)
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 9 }), row, space, (rows, list, gap) => {
        const sql = `insert into t (a)${gap}values ${rows.join(`,${gap}`)} on conflict do nothing`
        expect(textOf(sql)).toBe('insert into t (a) values (?+) on conflict do nothing')
        expect(textOf(`select x from t${gap}where id in${gap}${list} limit 5`)).toBe(
          'select x from t where id in (?+) limit ?',
        )
      }),
    )
  })

  test('is its own fingerprint, for any text at all', () => {
    const piece = fc.constantFrom(
      'select',
      'values',
      'in',
      '(',
      ')',
      ',',
      '?',
      "'",
      '"',
      '`',
      '[',
      ']',
      '$',
      '$1',
      '--',
      '/*',
      '*/',
      '\n',
      ' ',
      'a',
      '1',
      '::',
      ';',
      '.',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    )
    fc.assert(
      fc.property(text, (sql) => {
        const { text: once, id } = fingerprint(sql)
        expect(id).toMatch(/^[0-9a-f]{16}$/)
        expect(typeof once).toBe('string')
      }),
      { numRuns: 2_000 },
    )
  })

  test('takes time in proportion to the statement', () => {
    const rows = Array(20_000).fill('(?, ?, ?)').join(', ')
    const start = performance.now()
    expect(textOf(`insert into t values ${rows}`)).toBe('insert into t values (?+)')
    expect(textOf(`select ${'('.repeat(20_000)}1`).length).toBeGreaterThan(20_000)
    expect(textOf(`select 1 ${"'".repeat(20_001)}`)).toBe('select ? ?')
    expect(performance.now() - start).toBeLessThan(2_000)
  })
})

describe('the id of a fingerprint', () => {
  test('is FNV-1a with 64 bits, so that it is the same in every process', () => {
    // The values of http://www.isthe.com/chongo/tech/comp/fnv/ for the texts "" and "a".
    expect(fingerprint('').id).toBe('cbf29ce484222325')
    expect(fingerprint('a').id).toBe('af63dc4c8601ec8c')
  })

  test('is another one for each of many statements', () => {
    const ids = Array.from(
      { length: 20_000 },
      (_, index) => fingerprint(`select c${index} from t`).id,
    )
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('the summary', () => {
  test.for([
    ['select * from a join b on true', 'SELECT a b'],
    ['select * from a x, "b" as y, c.d', 'SELECT a b c.d'],
    ['with n as (select * from a), m (x) as (select 1) select * from n, b, m', 'SELECT a b'],
    ['with recursive n as (select 1) insert into t select * from n', 'INSERT t'],
    ['update t set a = ? where b = ? returning c', 'UPDATE t'],
    ['delete from only t using u', 'DELETE t u'],
    ['insert into t (a) values (?) on conflict do update set a = 1', 'INSERT t'],
    ['select * from t for update', 'SELECT t'],
    ['create table if not exists t (a int)', 'CREATE t'],
    ['select * from generate_series(1, 2)', 'SELECT'],
    ['pragma foreign_keys', 'PRAGMA'],
    [
      "select extract(year from a), trim(both ' ' from b), overlay(c placing d from 2) from t",
      'SELECT t',
    ],
    [
      'select substring((select a from u) from 2) from t where a is not distinct from b',
      'SELECT u t',
    ],
  ])('of %s is %s', ([sql, summary]) => {
    expect(fingerprint(sql!).summary).toBe(summary)
  })

  test('names the table that rows are copied into, and none that they come from', () => {
    const { tables } = fingerprint('copy "s"."item" ("id", "n") from stdin')
    expect(tables).toEqual(['s.item'])
    expect(fingerprint('copy (select * from item) to stdout').tables).toEqual(['item'])
  })

  test('names the table where there is one, and no name is cut', () => {
    expect(fingerprint('select * from t').single).toBe('t')
    expect('single' in fingerprint('select * from t, u')).toBe(false)
    const tables = Array.from({ length: 60 }, (_, index) => `table_${index}`)
    const { summary } = fingerprint(`select * from ${tables.join(', ')}`)
    expect(summary.length).toBeLessThanOrEqual(255)
    for (const table of summary.split(' ').slice(1)) expect(tables).toContain(table)
  })
})
