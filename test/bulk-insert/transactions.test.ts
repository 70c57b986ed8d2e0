import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { ambient, type Db, describeOn, pairs, type Row, traits } from './engines.ts'

const spec = { columns: { id: 'int primary key', name: 'text' } }

function rows(from: number, to: number): Row[] {
  return Array.from({ length: to - from }, (_, at) => ({ id: from + at, name: 'x' }))
}

async function* slowly(all: Iterable<Row>): AsyncGenerator<Row> {
  for (const row of all) {
    if (row['id'] % 10 === 0) await sleep(1)
    yield row
  }
}

const asynchronous = pairs.filter(({ isSync }) => !isSync)

describeOn(
  pairs.filter(({ isSync }) => isSync),
  'in a synchronous transaction',
  (db) => {
    test('takes part in it, also when it is not awaited', async () => {
      const table = await db().create('t', spec)
      let report: Promise<unknown> | undefined
      db().db.transaction((tx: Db) => {
        report = db().bulk(table, rows(0, 10), {}, tx)
      })
      expect(await report).toMatchObject({ inserted: 10, durableRows: 0 })
      const run = (): unknown =>
        db().db.transaction((tx: Db) => {
          report = db().bulk(table, rows(10, 20), {}, tx)
          throw new Error('changed my mind')
        })
      expect(run).toThrow('changed my mind')
      expect(await report).toMatchObject({ inserted: 10, durableRows: 0 })
      expect(await db().count('t')).toBe(10)
    })

    test('does not wait for rows that come when it is over', async () => {
      const table = await db().create('t', spec)
      async function* late(): AsyncGenerator<Row> {
        yield* rows(0, 10)
      }
      let failed: Promise<any> | undefined
      db().db.transaction((tx: Db) => {
        failed = rejection(db().bulk(table, late(), {}, tx))
      })
      expect(await failed).toMatchObject({ cause: { code: 'SYNCHRONOUS_DRIVER' } })
      expect(await db().count('t')).toBe(0)
    })
  },
)

describeOn(asynchronous, 'in an open transaction', (db, pair) => {
  const { hasSavepoints } = traits[pair.kind]

  test('takes part in it, and is committed with it', async () => {
    const table = await db().create('t', spec)
    await db().transaction(async (handle) => {
      const report = await db().bulk(table, rows(0, 1_500), {}, handle)
      expect(report).toMatchObject({ attempted: 1_500, inserted: 1_500, durableRows: 0 })
      expect(await db().count('t', handle)).toBe(1_500)
    })
    expect(await db().count('t')).toBe(1_500)
  })

  test('is rolled back with it', async () => {
    const table = await db().create('t', spec)
    const reason = new Error('changed my mind')
    const run = db().transaction(async (handle) => {
      await db().bulk(table, rows(0, 10), {}, handle)
      throw reason
    })
    expect(await rejection(run)).toBe(reason)
    expect(await db().count('t')).toBe(0)
  })

  test.skipIf(!hasSavepoints)('fails alone when it is caught', async () => {
    const table = await db().create('t', spec)
    await db().transaction(async (handle) => {
      await db().bulk(table, rows(0, 10), {}, handle)
      const error = await rejection(db().bulk(table, rows(5, 2_000).toReversed(), {}, handle))
      expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: 1_990 })
      await db().bulk(table, rows(10, 20), {}, handle)
    })
    expect(await db().count('t')).toBe(20)
  })

  test.skipIf(hasSavepoints)('dooms it when it fails, also before anything was sent', async () => {
    const table = await db().create('t', spec)
    for (const bad of [rows(0, 10).concat(rows(5, 6)), [...rows(20, 22), { id: 22, nmae: 'x' }]]) {
      const run = db().transaction(async (handle) => {
        await db().bulk(table, rows(30, 40), {}, handle)
        await rejection(db().bulk(table, bad, {}, handle))
      })
      expect(await rejection(run)).toBeInstanceOf(Error)
      expect(await db().count('t')).toBe(0)
    }
  })

  test.skipIf(!hasSavepoints)('leaves rows out of it', async () => {
    const table = await db().create('t', spec)
    await db().transaction(async (handle) => {
      await db().bulk(table, rows(0, 10), {}, handle)
      const options = { onRejected: 'collect' } as const
      const report = await db().bulk(table, rows(5, 15), options, handle)
      expect(report).toMatchObject({ attempted: 10, inserted: 5, rejected: 5 })
    })
    expect(await db().count('t')).toBe(15)
  })

  test.skipIf(!hasSavepoints)('loses nothing by one beside it that fails', async () => {
    const table = await db().create('t', spec)
    const other = await db().create('u', spec)
    const options = { batchRows: 10 }
    await db().transaction(async (handle) => {
      const bad = db().bulk(other, slowly([...rows(0, 100), { id: 0 }]), options, handle)
      const [report, error] = await Promise.all([
        db().bulk(table, slowly(rows(0, 200)), options, handle),
        rejection(bad),
        db().bulk(table, rows(200, 300), options, handle),
      ])
      expect(report).toMatchObject({ attempted: 200, inserted: 200 })
      expect(error).toMatchObject({ rowIndex: 100 })
    })
    expect([await db().count('t'), await db().count('u')]).toEqual([300, 0])
  })

  test.skipIf(!hasSavepoints)('is refused inside the rows of another one', async () => {
    const table = await db().create('t', spec)
    const inner = await db().create('u', spec)
    let error: unknown
    const handed = db().transaction(async (handle) => {
      async function* nested(): AsyncGenerator<Row> {
        yield { id: 1 }
        error = await rejection(db().bulk(inner, [{ id: 1 }], {}, handle))
        yield { id: 2 }
      }
      await db().bulk(table, nested(), { batchRows: 1 }, handle)
    })
    await handed
    expect(error).toMatchObject({ cause: { code: 'CONNECTION_BUSY' } })
    expect([await db().count('t'), await db().count('u')]).toEqual([2, 0])
  })

  test('commits no batch of its own', async () => {
    const table = await db().create('t', spec)
    await db().transaction(async (handle) => {
      const error = await rejection(db().bulk(table, rows(0, 10), { atomic: false }, handle))
      expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'atomic' })
    })
    expect(await db().count('t')).toBe(0)
  })
})

describeOn(asynchronous.map(ambient), 'in an ambient transaction', (db, pair) => {
  const { hasSavepoints } = traits[pair.kind]

  test('joins it by plain db', async () => {
    const table = await db().create('t', spec)
    await db().ambient(async () => {
      expect(await db().bulk(table, rows(0, 1_500))).toMatchObject({
        inserted: 1_500,
        durableRows: 0,
      })
      expect(await db().count('t')).toBe(1_500)
      const refused = await rejection(db().bulk(table, rows(0, 1), { atomic: false }))
      expect(refused).toMatchObject({ option: 'atomic' })
    })
    expect(await db().count('t')).toBe(1_500)
    const reason = new Error('no')
    const run = db().ambient(async () => {
      await db().bulk(table, rows(2_000, 2_010))
      throw reason
    })
    expect(await rejection(run)).toBe(reason)
    expect(await db().count('t')).toBe(1_500)
  })

  test.skipIf(!hasSavepoints)('fails alone when it is caught', async () => {
    const table = await db().create('t', spec)
    await db().ambient(async () => {
      await db().bulk(table, rows(0, 10))
      expect(await rejection(db().bulk(table, rows(5, 15)))).toMatchObject({ rowIndex: 0 })
      const report = await db().bulk(table, rows(5, 15), { onRejected: 'collect' })
      expect(report).toMatchObject({ inserted: 5, rejected: 5 })
    })
    expect(await db().count('t')).toBe(15)
  })

  test('reads its rows and calls back outside of its own', async () => {
    const table = await db().create('t', spec)
    const seen: boolean[] = []
    const note = (): void => void seen.push(db().isInTransaction())
    function* noting(): Generator<Row> {
      for (const row of rows(0, 3)) {
        note()
        yield row
      }
    }
    await db().bulk(table, noting(), { batchRows: 2, onProgress: note })
    expect(seen).toEqual([false, false, false, false, false])
    seen.length = 0
    await db().ambient(
      async () => void (await db().bulk(table, rows(10, 13), { onProgress: note })),
    )
    expect(seen).toEqual([true])
    expect(await db().count('t')).toBe(6)
  })
})

describeOn(pairs, 'without a transaction', (db, pair) => {
  test('keeps the batches before the one that failed, with `atomic: false`', async () => {
    const table = await db().create('t', spec)
    await db().bulk(table, [{ id: 250, name: 'taken' }])
    const error = await rejection(
      db().bulk(table, rows(0, 1_000), { atomic: false, batchRows: 100 }),
    )
    // DuckDB takes a batch as a whole, so that of its other rows nothing is known.
    const rejected = pair.kind === 'duckdb' ? 1 : 51
    const report = { attempted: 200 + rejected, inserted: 200, rejected, durableRows: 200 }
    expect(error).toMatchObject({ rowIndex: 250, report })
    expect(error.message).toMatch(
      /The first 200 rows of the input are decided and committed, what follows is not written\.$/,
    )
    expect(await db().count('t')).toBe(201)
  })

  test('does several at once', async () => {
    const table = await db().create('t', spec)
    const reports = await Promise.all(
      [0, 1, 2].map((each) => db().bulk(table, rows(each * 500, each * 500 + 500))),
    )
    expect(reports.map(({ inserted }) => inserted)).toEqual([500, 500, 500])
    expect(await db().count('t')).toBe(1_500)
  })

  describe('options', () => {
    test.each<[string, object, string?]>([
      ['an unknown one', { onConflct: 'skip' }, 'onConflct'],
      ['batchRows', { batchRows: 0 }],
      ['batchRows', { batchRows: 1.5 }],
      ['maxRejections', { maxRejections: -1 }],
      ['atomic', { atomic: 'yes' }],
      ['showValues', { showValues: 1 }],
      ['onRejected', { onRejected: 'ignore' }],
      ['duplicatesInInput', { duplicatesInInput: 'any' }],
      ['validate', { validate: (row: unknown) => row }],
      ['onProgress', { onProgress: 'log' }],
      ['onReturned', { returning: ['id'], onReturned: 'log' }],
      ['onReturned', { returning: ['id'] }],
      ['returning', { onReturned: () => {} }],
      ['returning', { returning: [], onReturned: () => {} }],
      ['signal', { signal: 'stop' }],
      ['onConflict', { onConflict: 'update' }],
      ['onConflict', { onConflict: null }],
      ['onConflict.target', { onConflict: { skip: true } }],
      ['onConflict', { onConflict: { target: 'id' } }],
      ['onConflict', { onConflict: { target: 'id', skip: true, update: 'all' } }],
      ['onConflict', { onConflict: { target: 'id', skip: false } }],
      ['onConflict.where', { onConflict: { target: 'id', skip: true, where: 1 } }],
      ['onConflict.update', { onConflict: { target: 'id', update: 'some' } }],
      ['onConflict.update', { onConflict: { target: 'id', update: [] } }],
      ['onConflict.update', { onConflict: { target: 'id', update: {} } }],
      ['onConflict.target', { onConflict: { target: [], update: 'all' } }],
      ['onConflict', { onConflict: { target: 'id', update: 'all', set: 1 } }, 'set'],
    ])('refuse %s: %o', async (name, options, option = name) => {
      let isRead = false
      const source = { [Symbol.iterator]: () => ((isRead = true), [][Symbol.iterator]()) }
      const error = await rejection(
        db().bulk(db().table('nowhere', spec.columns), source, options as never),
      )
      expect(error).toMatchObject({ name: 'OptionError', option })
      expect(isRead).toBe(false)
    })

    test.each<[string, object]>([
      ['onConflict.target', { onConflict: { target: 'nmae', skip: true } }],
      ['onConflict.update', { onConflict: { target: 'id', update: ['nmae'] } }],
      ['returning', { returning: ['nmae'], onReturned: () => {} }],
    ])('refuse a column in `%s` that there is not', async (option, options) => {
      const table = await db().create('t', spec)
      const error = await rejection(db().bulk(table, rows(0, 3), options))
      if (option === 'returning' && pair.kind === 'mysql')
        expect(error.message).toMatch(/MySQL|mysql/)
      else expect(error).toMatchObject({ name: 'OptionError', option })
      if (option !== 'returning' || pair.kind !== 'mysql')
        expect(error.message).toBe(
          `bulkInsert(): \`${option}\` names "nmae", and "t" has no such column. It has: id, name. Nothing was written.`,
        )
      expect(await db().count('t')).toBe(0)
    })

    test.skipIf(!traits[pair.kind].asSet)(
      'refuse to decide between rows where nothing is updated',
      async () => {
        const table = await db().create('t', spec)
        const options = { duplicatesInInput: 'last', onConflict: 'skip' } as const
        expect(await rejection(db().bulk(table, rows(0, 3), options))).toMatchObject({
          option: 'duplicatesInInput',
        })
      },
    )

    test.skipIf(pair.kind !== 'mysql')('refuse a target that MySQL cannot be told of', async () => {
      const table = await db().create('t', { ...spec, constraints: ['unique (name)'] })
      for (const target of ['id', 'name', ['id', 'name']]) {
        const options = { onConflict: { target, update: 'all' } }
        const error = await rejection(db().bulk(table, rows(0, 3), options))
        expect(error).toMatchObject({ name: 'OptionError', option: 'onConflict.target' })
      }
      for (const more of ['where', 'targetWhere']) {
        const options = {
          onConflict: { target: 'id', update: 'all', [more]: db().condition('1 = 1') },
        }
        expect(await rejection(db().bulk(table, rows(0, 3), options))).toMatchObject({
          option: 'onConflict',
        })
      }
    })
  })
})
