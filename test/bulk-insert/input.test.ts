import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { rejection } from '../support/rejection.ts'
import { describeOn, pairs, type Row, traits } from './engines.ts'

const spec = { columns: { id: 'int primary key', name: 'text' } }

function* generated(from: number, to: number): Generator<Row> {
  for (let id = from; id < to; id++) yield { id, name: `name ${id}` }
}

async function* waiting(from: number, to: number): AsyncGenerator<Row> {
  for (const row of generated(from, to)) {
    if (row['id'] % 100 === 0) await delay(0)
    yield row
  }
}

// PGlite is PostgreSQL behind another driver, and starting it takes longer than all that is tested here.
describeOn(
  pairs.filter(({ name }) => !name.endsWith('PGlite')),
  'the input',
  (db, pair) => {
    const { leavesOut } = traits[pair.kind]
    /** A synchronous transaction cannot wait for rows. */
    const atomic = !pair.isSync
    afterEach(() => vi.restoreAllMocks())

    test.each<[string, () => unknown]>([
      ['an array', () => [...generated(0, 1_050)]],
      ['a generator', () => generated(0, 1_050)],
      ['a set', () => new Set(generated(0, 1_050))],
      ['an async generator', () => waiting(0, 1_050)],
      ['a Readable', () => Readable.from(waiting(0, 1_050))],
      ['a ReadableStream', () => ReadableStream.from(waiting(0, 1_050))],
    ])('comes from %s', async (_, rows) => {
      const table = await db().create('t', spec)
      const report = await db().bulk(table, rows(), { batchRows: 100, atomic })
      expect(report).toMatchObject({
        attempted: 1_050,
        inserted: 1_050,
        durableRows: 1_050,
        batches: 11,
      })
      expect(await db().count('t')).toBe(1_050)
    })

    test.skipIf(!pair.isSync)('cannot be waited for in a synchronous transaction', async () => {
      const table = await db().create('t', spec)
      const error = await rejection(db().bulk(table, waiting(0, 5_000)))
      expect(error).toMatchObject({ cause: { code: 'SYNCHRONOUS_DRIVER' } })
      expect(await db().count('t')).toBe(0)
      await db().bulk(table, generated(0, 5_000))
      expect(await db().count('t')).toBe(5_000)
    })

    test('that fails by an insert of its own is told what became of its rows', async () => {
      const table = await db().create('t', spec)
      const other = await db().create('other', spec)
      const inner: (() => Promise<unknown>)[] = [
        () => db().bulk(other, [{ id: 1, nmae: 'x' }]),
        () => db().bulk(other, [{ id: 1 }], { batchRows: 0 }),
      ]
      for (const fail of inner) {
        const from = await db().count('t')
        async function* rows(): AsyncGenerator<Row> {
          yield* generated(from, from + 2)
          await fail()
        }
        const error = await rejection(db().bulk(table, rows(), { batchRows: 2, atomic: false }))
        expect(error).toMatchObject({
          name: 'BulkInsertError',
          rowIndex: undefined,
          report: { inserted: 2, durableRows: 2 },
          message: expect.stringMatching(
            /^The bulk insert into "t" failed after 2 rows of the input: .* The first 2 rows of the input are decided and committed, /,
          ),
        })
      }
    })

    test('is read no further ahead than a batch', async () => {
      const table = await db().create('t', spec)
      let read = 0
      const ahead: number[] = []
      function* counted(): Generator<Row> {
        for (const row of generated(0, 500)) {
          read++
          yield row
        }
      }
      await db().bulk(table, counted(), {
        batchRows: 50,
        onProgress: ({ rows }) => void ahead.push(read - rows),
      })
      expect(ahead).toHaveLength(10)
      expect(Math.max(...ahead)).toBeLessThanOrEqual(50)
    })

    test('that throws undoes everything, and says how far it came', async () => {
      const table = await db().create('t', spec)
      const reason = new Error('the file ended early')
      function* failing(): Generator<Row> {
        yield* generated(0, 250)
        throw reason
      }
      const error = await rejection(db().bulk(table, failing(), { batchRows: 100 }))
      expect(error).toMatchObject({ name: 'BulkInsertError', cause: reason, rowIndex: undefined })
      expect(error.message).toBe(
        'The bulk insert into "t" failed after 200 rows of the input: the file ended early. Nothing was written.',
      )
      expect(error['report']).toMatchObject({
        attempted: 200,
        inserted: 0,
        rejected: 200,
        durableRows: 0,
      })
      expect(await db().count('t')).toBe(0)

      const batches = await rejection(
        db().bulk(table, failing(), { batchRows: 100, atomic: false }),
      )
      expect(batches['report']).toMatchObject({
        attempted: 200,
        inserted: 200,
        rejected: 0,
        durableRows: 200,
      })
      expect(batches.message).toMatch(
        /The first 200 rows of the input are decided and committed, what follows is not written\.$/,
      )
      expect(await db().count('t')).toBe(200)
    })

    test('is told once that no more is wanted', async () => {
      const table = await db().create('t', spec)
      const iterator = generated(0, 1_000)
      const spy = vi.spyOn(iterator, 'return')
      const poisoned = {
        [Symbol.iterator]: () => ({
          next: () =>
            iterator.next().value.id === 150
              ? { value: 5 }
              : { value: { id: spy.mock.calls.length } },
          return: () => iterator.return(undefined),
        }),
      }
      expect(await rejection(db().bulk(table, poisoned, { batchRows: 50 }))).toMatchObject({
        name: 'BulkInsertError',
      })
      expect(spy).toHaveBeenCalledTimes(1)
    })

    test.each([5, 'rows', null, {}, undefined])('is refused when it is %o', async (rows) => {
      const table = await db().create('t', spec)
      expect(await rejection(db().bulk(table, rows))).toMatchObject({
        code: 'INVALID_OPTION',
        option: 'rows',
      })
    })

    test('reports its progress after each batch', async () => {
      const table = await db().create('t', spec)
      const seen: Row[] = []
      await db().bulk(table, [...generated(0, 250)], {
        batchRows: 100,
        onProgress: (progress) => void seen.push(progress),
      })
      expect(seen.map(({ rows, total }) => [rows, total])).toEqual([
        [100, 250],
        [200, 250],
        [250, 250],
      ])
      expect(seen.every(({ elapsedMs, rowsPerSecond }) => elapsedMs > 0 && rowsPerSecond > 0)).toBe(
        true,
      )
      seen.length = 0
      await db().bulk(table, generated(250, 300), {
        onProgress: (progress) => void seen.push(progress),
      })
      expect(seen.map(({ rows, total }) => [rows, total])).toEqual([[50, undefined]])
    })

    test('is not stopped by a listener that throws', async () => {
      const table = await db().create('t', spec)
      const warned = vi.spyOn(process, 'emitWarning').mockReturnValue()
      for (const [at, onProgress] of [
        () => {
          throw new Error('mine')
        },
        async () => Promise.reject(new Error('mine')),
      ].entries()) {
        const report = await db().bulk(table, [...generated(at * 10, at * 10 + 10)], {
          batchRows: 3,
          onProgress,
        })
        expect(report).toMatchObject({ inserted: 10 })
      }
      await delay(1)
      expect(warned).toHaveBeenCalledTimes(2)
    })

    describe('with a signal', () => {
      test('that is aborted sends nothing', async () => {
        const table = db().table('nowhere', spec.columns)
        const rows = { [Symbol.iterator]: vi.fn() }
        const signal = AbortSignal.abort(new Error('too late'))
        expect(await rejection(db().bulk(table, rows, { signal }))).toBe(signal.reason)
        expect(rows[Symbol.iterator]).not.toHaveBeenCalled()
      })

      test('is undone when it is aborted in between', async () => {
        const table = await db().create('t', spec)
        const controller = new AbortController()
        const reason = new Error('enough')
        const onProgress = ({ rows }: { rows: number }): void =>
          void (rows >= 200 && controller.abort(reason))
        const options = { batchRows: 100, signal: controller.signal, onProgress }
        const iterator = generated(0, 1_000)
        const spy = vi.spyOn(iterator, 'return')
        expect(await rejection(db().bulk(table, iterator, options))).toBe(reason)
        expect(spy).toHaveBeenCalledTimes(1)
        expect(await db().count('t')).toBe(0)
      })

      test('keeps the batches that are committed, and says how many rows', async () => {
        const table = await db().create('t', spec)
        const controller = new AbortController()
        const reason = new Error('enough')
        const onProgress = ({ rows }: { rows: number }): void =>
          void (rows >= 200 && controller.abort(reason))
        const options = { batchRows: 100, signal: controller.signal, onProgress, atomic: false }
        const error = await rejection(db().bulk(table, generated(0, 1_000), options))
        expect(error).toMatchObject({
          name: 'BulkInsertError',
          cause: reason,
          report: { inserted: 200, durableRows: 200 },
        })
        expect(await db().count('t')).toBe(200)
      })

      test('lets go of a stream whose next row does not come', async () => {
        const table = await db().create('t', spec)
        const stream = new Readable({ objectMode: true, read() {} })
        stream.push({ id: 1, name: 'a' })
        const signal = AbortSignal.timeout(5)
        const error = await rejection(db().bulk(table, stream, { signal, atomic }))
        expect(atomic ? error : error.cause).toBe(signal.reason)
        expect(stream.destroyed).toBe(true)
        expect(await db().count('t')).toBe(0)
      })

      test('cancels a web stream whose next row does not come', async () => {
        const table = await db().create('t', spec)
        const cancel = vi.fn()
        const stream = new ReadableStream({
          start: (controller) => controller.enqueue({ id: 1, name: 'a' }),
          cancel,
        })
        const signal = AbortSignal.timeout(5)
        const error = await rejection(db().bulk(table, stream, { signal, atomic }))
        expect(atomic ? error : error.cause).toBe(signal.reason)
        expect(cancel).toHaveBeenCalledOnce()
      })

      test('does not wait for rows that do not come', async () => {
        const table = await db().create('t', spec)
        for (const already of [0, 100]) {
          const controller = new AbortController()
          async function* stuck(): AsyncGenerator<Row> {
            yield* generated(0, already)
            setTimeout(() => controller.abort(), 5)
            await new Promise(() => {})
          }
          const options = { batchRows: 100, signal: controller.signal, atomic }
          const error = await rejection(db().bulk(table, stuck(), options))
          expect(atomic ? error : (error.cause ?? error)).toMatchObject({ name: 'AbortError' })
        }
        if (atomic) expect(await db().count('t')).toBe(0)
        await db().bulk(table, generated(1_000, 1_001))
      })
    })

    describe('with a schema', () => {
      const schema = z.object({ id: z.coerce.number().int(), name: z.string().trim().min(1) })

      test('inserts what it makes of each row', async () => {
        const table = await db().create('t', spec)
        const rows = [
          { id: '1', name: ' a ' },
          { id: 2, name: 'b', more: true },
        ]
        expect(await db().bulk(table, rows, { validate: schema })).toMatchObject({ inserted: 2 })
        expect(await db().all('t')).toEqual([
          [1, 'a'],
          [2, 'b'],
        ])
      })

      test('names the first row that it does not take', async () => {
        const table = await db().create('t', spec)
        const rows = [
          { id: 1, name: 'a' },
          { id: 2, name: ' ' },
          { id: 'x', name: '' },
        ]
        const error = await rejection(db().bulk(table, rows, { validate: schema }))
        expect(error).toMatchObject({ rowIndex: 1, column: 'name', cause: { code: 'INVALID_ROW' } })
        expect(error.message).toMatch(
          /^Row 1 of the input is invalid at "name": .*Nothing was written\.$/,
        )
        expect(await db().count('t')).toBe(0)
      })

      test('names the row before it that the engine does not take', async () => {
        const table = await db().create('t', { ...spec, constraints: ['unique (name)'] })
        const rows = [
          { id: 1, name: 'a' },
          { id: 2, name: 'a' },
          { id: 'x', name: '' },
        ]
        expect(await rejection(db().bulk(table, rows, { validate: schema }))).toMatchObject({
          rowIndex: 1,
        })
      })

      // The transaction of a synchronous driver cannot wait for it.
      test.skipIf(pair.isSync)('may be asynchronous', async () => {
        const table = await db().create('t', spec)
        const slow = schema
          .refine(async ({ id }) => delay(0, id !== 3))
          .transform(async (row) => ({ ...row, name: `${row.name}!` }))
        const rows = [
          { id: 1, name: 'a' },
          { id: 2, name: 'b' },
        ]
        expect(await db().bulk(table, rows, { validate: slow })).toMatchObject({
          inserted: 2,
        })
        expect(await db().all('t')).toEqual([
          [1, 'a!'],
          [2, 'b!'],
        ])
        const options = { validate: slow, atomic: false, onRejected: 'collect' } as const
        const report = await db().bulk(table, [...generated(3, 6)], options)
        expect(report).toMatchObject({
          inserted: 2,
          rejected: 1,
          rejections: [{ rowIndex: 0, row: { id: 3 } }],
        })
      })
    })

    describe('with rows that are to be left out', () => {
      const poison = { first: [0], middle: [57], last: [299], some: [0, 1, 57, 58, 200, 299] }
      const options = { onRejected: 'collect', atomic: leavesOut, batchRows: 128 } as const

      test.each(Object.entries(poison))('leaves out the %s', async (_, places) => {
        const table = await db().create('t', { ...spec, constraints: ['unique (name)'] })
        await db().bulk(table, [{ id: -1, name: 'taken' }])
        const rows = [...generated(0, 300)].map((row, at) =>
          places.includes(at) ? { ...row, name: 'taken' } : row,
        )
        const report = await db().bulk(table, rows, options)
        expect(report.rejections.map(({ rowIndex }) => rowIndex)).toEqual(places)
        expect(report.rejections.map(({ row }) => row)).toEqual(places.map((at) => rows[at]))
        const inserted = 300 - places.length
        expect(report).toMatchObject({
          attempted: 300,
          inserted,
          updated: 0,
          skipped: 0,
          rejected: places.length,
        })
        expect(report.durableRows).toBe(300)
        expect(await db().count('t')).toBe(inserted + 1)
      })

      test('leaves out all', async () => {
        const table = await db().create('t', { ...spec, constraints: ['unique (name)'] })
        await db().bulk(table, [{ id: -1, name: 'taken' }])
        const rows = [...generated(0, 20)].map((row) => ({ ...row, name: 'taken' }))
        const report = await db().bulk(table, rows, { ...options, batchRows: 7 })
        expect(report).toMatchObject({ attempted: 20, inserted: 0, skipped: 0, rejected: 20 })
        expect(report.rejections).toHaveLength(20)
        expect(await db().count('t')).toBe(1)
      })

      test('leaves out rows of every fault, in their order', async () => {
        const columns = { id: 'int primary key', name: 'text not null', n: 'int' }
        const constraints = ['unique (name)', 'check (n < 10)']
        const table = await db().create('t', { columns, constraints })
        const rows: any[] = [
          { id: 1, name: 'a', n: 1 },
          { id: 2, name: 'a', n: 1 },
          { id: 3, name: 'c', n: 10 },
          null,
          { id: 1, name: 'e' },
          { id: 6, name: null },
          { id: 7, name: 'g', x: 1 },
          { id: 8, name: 'h', n: 9 },
        ]
        const seen: number[] = []
        const onRejected = async ({ rowIndex, error }: any): Promise<void> => {
          if (!pair.isSync) await delay(1)
          expect(error).toBeInstanceOf(Error)
          seen.push(rowIndex)
        }
        const handler = pair.isSync ? ({ rowIndex }: any) => void seen.push(rowIndex) : onRejected
        const report = await db().bulk(table, rows, { ...options, onRejected: handler })
        expect(seen).toEqual([1, 2, 3, 4, 5, 6])
        expect(report).toMatchObject({ attempted: 8, inserted: 2, rejected: 6, rejections: [] })
        expect((await db().all('t')).map(([id]) => id)).toEqual([1, 8])
      })

      test('fails when there are too many, and shows them', async () => {
        const table = await db().create('t', { ...spec, constraints: ['unique (name)'] })
        const rows = [...generated(0, 20)].map((row, at) =>
          at % 5 === 4 ? { ...row, name: 'name 0' } : row,
        )
        const error = await rejection(db().bulk(table, rows, { ...options, maxRejections: 2 }))
        expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: 14 })
        expect(error.message).toMatch(
          /^Row 14 of the input is one too many that was rejected: more than 2/,
        )
        const report = error['report'] as any
        expect(report.rejections.map(({ rowIndex }: any) => rowIndex)).toEqual([4, 9, 14])
        expect(report.attempted).toBe(
          report.inserted + report.updated + report.skipped + report.rejected,
        )
        expect(await db().count('t')).toBe(report.inserted)
        const ids = (await db().all('t')).map(([id]) => id)
        expect(ids.every((id) => Number(id) < report.durableRows)).toBe(true)
        expect(report.durableRows).toBe(leavesOut ? 0 : 15)
        expect(
          await db().bulk(table, rows.slice(0, 1), {
            ...options,
            maxRejections: 1,
            onConflict: 'skip',
          }),
        ).toMatchObject({ rejected: 0 })
      })

      test.skipIf(leavesOut)('refuses that in one transaction', async () => {
        const table = await db().create('t', spec)
        const rows = { [Symbol.iterator]: vi.fn() }
        const error = await rejection(db().bulk(table, rows, { onRejected: 'collect' }))
        expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'onRejected' })
      })
    })
  },
)
