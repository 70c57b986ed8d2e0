import { setTimeout as sleep } from 'node:timers/promises'
import { nextSequence, sequenceTableStatements } from '@keelson/bulk-insert/drizzle'
import { expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { ambient, describeOn, pairs, type Row } from './engines.ts'

const onLibsql = pairs.filter(({ name }) => name.endsWith('libsql'))
const spec = { columns: { id: 'int primary key', name: 'text' } }

async function* slowly(from: number, to: number): AsyncGenerator<Row> {
  for (let id = from; id < to; id++) {
    if (id % 100 === 0) await sleep(2)
    yield { id, name: 'x' }
  }
}

describeOn(onLibsql, 'several at once on a client of libsql', (db) => {
  test('take turns, those that wait for rows and those that are counters', async () => {
    const table = await db().create('t', spec)
    for (const text of sequenceTableStatements('sqlite')) await db().exec(text)
    const options = { batchRows: 100 }
    const all = await Promise.all([
      db().bulk(table, slowly(0, 500), options),
      db().bulk(table, slowly(500, 1_000), { ...options, atomic: false }),
      db().bulk(table, slowly(1_000, 1_500), options),
      nextSequence(db().db, 'invoice'),
      nextSequence(db().db, 'invoice'),
    ])
    expect(all.slice(0, 3).map((report) => (report as { inserted: number }).inserted)).toEqual([
      500, 500, 500,
    ])
    expect(all.slice(3)).toEqual([1, 2])
    expect(await db().count('t')).toBe(1_500)
  })

  test('go on after one that has failed', async () => {
    const table = await db().create('t', spec)
    const [failed, other] = await Promise.all([
      rejection(db().bulk(table, [{ id: 1 }, { id: 1 }])),
      db().bulk(table, slowly(0, 10)),
    ])
    expect(failed).toMatchObject({ rowIndex: 1 })
    expect(other.inserted).toBe(10)
  })

  test('do not wait for one that waits for them', async () => {
    const table = await db().create('t', spec)
    const inner = await db().create('u', spec)
    async function* nested(): AsyncGenerator<Row> {
      yield { id: 1 }
      await db().bulk(inner, [{ id: 1 }])
      yield { id: 2 }
    }
    // The first row is read, and the transaction begun, before the second one is asked for.
    const error = await rejection(db().bulk(table, nested(), { batchRows: 1 }))
    expect(error.message).toContain('so that each would wait for the other')
    expect(error).toMatchObject({ cause: { cause: { code: 'CONNECTION_BUSY' } } })
    expect(await db().bulk(table, nested(), { batchRows: 1, atomic: false })).toMatchObject({
      inserted: 2,
    })
  })
})

describeOn(onLibsql.map(ambient), 'a wrapped client of libsql', (db) => {
  test('has everything on it take turns', async () => {
    const table = await db().create('t', spec)
    const work = [
      db().bulk(table, slowly(0, 500), { batchRows: 100 }),
      db().exec("insert into t (id, name) values (-1, 'x')"),
      db().count('t'),
      db().bulk(table, slowly(500, 1_000), { batchRows: 100 }),
      db().transaction((tx) => db().exec("insert into t (id, name) values (-2, 'x')", tx)),
    ]
    await Promise.all(work)
    expect(await db().count('t')).toBe(1_002)
  })
})
