import { setImmediate as nextTurn } from 'node:timers/promises'
import { type DuckDBDatabase, openDuckDB } from '@keelson/duckdb'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runs, seed } from '../../support/runs.ts'
import { column, run, value } from '../fixture.ts'

let database: DuckDBDatabase
beforeAll(async () => {
  database = await openDuckDB({ path: ':memory:' })
})
afterAll(() => database.close())

test('a byte order mark is kept, which the client drops', async () => {
  for (const text of ['\ufeff', '\ufeffshort', '\ufeffa text that is longer than twelve bytes'])
    expect(await value(database, 'select $1::varchar', [text])).toBe(text)
})

test('a NUL is kept', async () => {
  for (const text of ['\0', 'a\0b', 'a text that is longer\0than twelve bytes'])
    expect(await value(database, 'select $1::varchar', [text])).toBe(text)
})

describe('texts of all lengths, between NULLs', () => {
  const sql = `select i::integer as i, case
    when i % 7 = 0 then null
    when i % 11 = 0 then ''
    when i % 5 = 0 then repeat('x', (i % 300)::integer)
    when i % 3 = 0 then 'short ' || i
    else 'ünïcödé 🦆 number ' || i end as v
    from range(20000) t(i)`
  const expected = (i: number): string | null => {
    if (i % 7 === 0) return null
    if (i % 11 === 0) return ''
    if (i % 5 === 0) return 'x'.repeat(i % 300)
    return i % 3 === 0 ? `short ${i}` : `ünïcödé 🦆 number ${i}`
  }

  beforeAll(() => run(database, `create table texts as ${sql}`))

  const sources: readonly [what: string, sql: string][] = [
    ['of a table', 'from texts'],
    ['of an expression', sql],
    ['filtered', 'from texts where i % 13 = 1'],
    ['sorted', 'from texts order by hash(i) limit 5000'],
    ['joined', 'select t.* from texts t join texts u using (i) where u.i % 5 = 2'],
    ['of groups', 'select i, max(v) as v from texts group by i'],
    ['of a window', 'select i, first(v) over (partition by i order by i) as v from texts'],
    ['of a union', 'from texts where i < 3000 union all from texts where i >= 3000'],
  ]

  test.for(sources)('are right: %s', async ([, source]) => {
    const { rows } = await database.execute<{ i: number; v: string | null }>(source)
    expect(rows.length).toBeGreaterThan(0)
    for (const { i, v } of rows) if (v !== expected(i)) expect(v).toBe(expected(i))
  })

  test('are right in lists', async () => {
    const { rows } = await database.execute<{ i: number; v: unknown[] }>(
      'select i, [v, null, v] as v from texts where i % 3 <> 1',
    )
    for (const { i, v } of rows) expect(v).toEqual([expected(i), null, expected(i)])
  })

  test('repeated in a row of constants are right', async () => {
    const text = 'a constant text that is longer than twelve bytes'
    const values = await column(database, `select '${text}' from range(5000)`)
    expect(values).toHaveLength(5000)
    expect(new Set(values)).toEqual(new Set([text]))
  })

  test('of megabytes are right', async () => {
    const values = await column(
      database,
      `select repeat(chr(65 + i::integer), 3000000) from range(5) t(i)`,
    )
    expect(values).toEqual(['A', 'B', 'C', 'D', 'E'].map((letter) => letter.repeat(3_000_000)))
  })
})

describe('bytes', () => {
  test('are given out as Buffers that own their memory', async () => {
    const rows = (await column(
      database,
      `select repeat(chr(65 + (i % 26)::integer), 1 + (i % 40)::integer)::blob from range(3000) t(i)`,
    )) as Buffer[]
    for (let turn = 0; turn < 5; turn++) {
      // Frees the chunks they were read from, and fills the memory with something else.
      await column(database, `select repeat('#', 30) from range(100000)`)
      globalThis.gc?.()
      await nextTurn()
    }
    rows.forEach((bytes, i) => {
      const expected = Buffer.alloc(1 + (i % 40), 65 + (i % 26))
      if (!bytes.equals(expected)) expect(bytes).toEqual(expected)
      if (bytes.buffer.byteLength !== bytes.byteLength)
        expect(bytes.buffer.byteLength).toBe(bytes.byteLength)
    })
  })

  test('can be changed without a consequence', async () => {
    await run(database, `create table bytes as select 'before'::blob as b`)
    const read = (await value(database, 'from bytes')) as Buffer
    read.write('after!')
    expect(await value(database, 'from bytes')).toEqual(Buffer.from('before'))
  })

  test('that were bound can be changed without a consequence', async () => {
    await run(database, 'create table copied (b blob)')
    const mine = Buffer.from('before')
    await database.execute('insert into copied values ($1)', [mine])
    mine.write('after!')
    expect(await value(database, 'from copied')).toEqual(Buffer.from('before'))
  })
})

test('every text and every bytes come back as they were bound', async () => {
  await run(database, 'create table pairs (id integer, t varchar, b blob)')
  const texts = fc.string({ unit: 'grapheme', maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(texts, fc.uint8Array({ maxLength: 40 })), { minLength: 1 }),
      async (pairs) => {
        await run(database, 'delete from pairs')
        for (const [id, [t, b]] of pairs.entries())
          await database.execute('insert into pairs values ($1, $2, $3)', [id, t, b])
        const { rows } = await database.execute('select t, b from pairs order by id')
        expect(rows).toEqual(pairs.map(([t, b]) => ({ t, b: Buffer.from(b) })))
      },
    ),
    { seed, numRuns: runs(30, 1000) },
  )
})
