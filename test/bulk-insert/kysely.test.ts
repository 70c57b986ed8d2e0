import { bulkInsert } from '@keelson/bulk-insert/kysely'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import {
  CamelCasePlugin,
  type KyselyPlugin,
  OperationNodeTransformer,
  type PrimitiveValueListNode,
  sql,
  type ValueNode,
} from 'kysely'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { describeOn, pairs, traits } from './engines.ts'

/** Writes each text in capitals, as one that encrypts or serialises would. */
class Capitals implements KyselyPlugin {
  readonly #transformer = new (class extends OperationNodeTransformer {
    protected override transformValue(node: ValueNode): ValueNode {
      return { ...node, value: capital(node.value) }
    }
    protected override transformPrimitiveValueList(
      node: PrimitiveValueListNode,
    ): PrimitiveValueListNode {
      return { ...node, values: node.values.map(capital) }
    }
  })()

  transformQuery(args: any): any {
    return this.#transformer.transformNode(args.node)
  }

  async transformResult(args: any): Promise<any> {
    const rows = args.result.rows.map((row: any) =>
      Object.fromEntries(
        Object.entries(row).map(([key, value]) => [
          key,
          typeof value === 'string' ? value.toLowerCase() : value,
        ]),
      ),
    )
    return { ...args.result, rows }
  }
}

function capital(value: unknown): unknown {
  return typeof value === 'string' ? value.toUpperCase() : value
}

describeOn(
  pairs.filter(({ orm, name }) => orm === 'kysely' && !name.endsWith('PGlite')),
  'by Kysely',
  (db, pair) => {
    const { hasReturning, hasTarget } = traits[pair.kind]
    const columns = { id: 'int primary key', full_name: 'text', is_odd: 'int default 7' }

    test('uses the names that CamelCasePlugin makes', async () => {
      await db().create('my_table', { columns })
      const camel = db().kysely.withPlugin(new CamelCasePlugin())
      const rows = [1, 2, 3].map((id) => ({ id, fullName: `n${id}` }))
      expect(await bulkInsert(camel, 'myTable', rows)).toMatchObject({ inserted: 3 })
      const got: unknown[] = []
      const again = [
        { id: 3, fullName: 'three', isOdd: 1 },
        { id: 4, fullName: 'four', isOdd: 0 },
      ]
      const report = await bulkInsert(camel, 'myTable', again, {
        onConflict: { target: 'id', update: ['fullName'] },
        ...(hasReturning && {
          returning: ['fullName', 'isOdd'],
          onReturned: (returned: readonly unknown[]) => void got.push(...returned),
        }),
      } as never)
      expect(report).toMatchObject({ inserted: 1, updated: 1 })
      if (hasReturning) expect(got).toHaveLength(2)
      if (hasReturning) expect(got).toContainEqual({ fullName: 'three', isOdd: 7 })
      const error = await rejection(bulkInsert(camel, 'myTable', [{ id: 5, fulName: 'x' }]))
      expect(error).toMatchObject({ column: 'fulName' })
      const twice = [{ id: 5, fullName: 'x', full_name: 'y' }]
      expect(await rejection(bulkInsert(camel, 'myTable', twice))).toMatchObject({
        column: 'full_name',
        cause: { code: 'REPEATED_COLUMN' },
      })
    })

    test('names the column of an error as the rows do', async () => {
      await db().create('my_table', {
        columns: { id: 'int primary key', full_name: 'text not null' },
      })
      const camel = db().kysely.withPlugin(new CamelCasePlugin())
      const error = await rejection(
        bulkInsert(camel, 'myTable', [
          { id: 1, fullName: 'x' },
          { id: 2, fullName: null },
        ]),
      )
      expect(error).toMatchObject({ rowIndex: 1 })
      if (pair.kind !== 'mysql') expect(error).toMatchObject({ column: 'fullName' })
    })

    test('lets a plugin change values and results', async () => {
      await db().create('t', { columns: { id: 'int primary key', name: 'text' } })
      const capitals = db().kysely.withPlugin(new Capitals())
      const rows = Array.from({ length: 130 }, (_, id) => ({ id, name: `name ${id}` }))
      const got: any[] = []
      const report = await bulkInsert(capitals, 't', rows, {
        ...(hasReturning && {
          returning: ['name'],
          onReturned: (returned: readonly unknown[]) => void got.push(...returned),
        }),
      } as never)
      const method = 'multi-row-values'
      expect(report).toMatchObject({ attempted: 130, inserted: 130, skipped: 0, method })
      expect((await db().all('t'))[129]).toEqual([129, 'NAME 129'])
      if (hasReturning) expect(got[129]).toEqual({ name: 'name 129' })
      const again = await bulkInsert(
        capitals,
        't',
        [
          { id: 1, name: 'x' },
          { id: 200, name: 'y' },
        ],
        { onConflict: 'skip' } as never,
      )
      expect(again).toMatchObject({ inserted: 1, skipped: 1 })
      const poison = [
        { id: 201, name: 'x' },
        { id: 1, name: 'y' },
      ]
      const error = await rejection(bulkInsert(capitals, 't', poison))
      // Of an insert of the ORM's own DuckDB does not say which row it was, and does not go on.
      expect(error).toMatchObject({ rowIndex: 1 })
    })

    test('takes many columns through a plugin, and many rows in a batch', async () => {
      const keys = Array.from({ length: 700 }, (_, at) => `c${at}`)
      await db().create('wide', { columns: Object.fromEntries(keys.map((key) => [key, 'int'])) })
      const capitals = db().kysely.withPlugin(new Capitals())
      const rows = Array.from({ length: 50 }, () =>
        Object.fromEntries(keys.map((key, at) => [key, at])),
      )
      expect(await bulkInsert(capitals, 'wide', rows)).toMatchObject({ inserted: 50 })
      await db().exec('drop table wide')
    })

    test.skipIf(pair.kind === 'sqlite' || pair.kind === 'mysql')(
      'inserts into the schema of withSchema()',
      async () => {
        await db().exec('create schema if not exists other')
        await db().exec('drop table if exists other.t')
        await db().exec('create table other.t (id integer primary key, name text, more integer)')
        await db().create('t', { columns: { id: 'int primary key' } })
        const other = db().kysely.withSchema('other')
        const rows = [{ id: 1, name: 'a', more: 1 }]
        expect(await bulkInsert(other, 't', rows)).toMatchObject({ inserted: 1 })
        const report = await bulkInsert(db().kysely, 'other.t', [...rows, { id: 2, name: 'b' }], {
          onConflict: { target: 'id', update: 'all' },
          duplicatesInInput: 'last',
        } as never)
        expect(report).toMatchObject({ inserted: 1, updated: 1 })
        expect(await db().count('t')).toBe(0)
      },
    )

    test.skipIf(pair.kind !== 'sqlite')('inserts into an attached database', async () => {
      await db().exec("attach ':memory:' as other")
      await db().exec('create table other.t (id integer primary key, name text)')
      const other = db().kysely.withSchema('other')
      expect(await bulkInsert(other, 't', [{ id: 1, name: 'a' }])).toMatchObject({ inserted: 1 })
      expect(
        await bulkInsert(other, 't', [{ id: 1, name: 'b' }, { id: 2 }], {
          onConflict: { target: 'id', update: 'all' },
        } as never),
      ).toMatchObject({ inserted: 1, updated: 1 })
      await db().exec('detach other')
    })

    test.skipIf(!hasTarget)('takes conditions and values as callbacks', async () => {
      await db().create('t', { columns: { id: 'int primary key', name: 'text', n: 'int' } })
      await bulkInsert(db().kysely, 't', [
        { id: 1, name: 'a', n: 1 },
        { id: 2, name: 'b', n: 2 },
      ])
      const report = await bulkInsert(
        db().kysely,
        't',
        [
          { id: 1, name: 'x', n: 10 },
          { id: 2, name: 'y', n: 1 },
        ],
        {
          onConflict: {
            target: 'id',
            update: (eb: any) => ({ n: eb.ref('excluded.n'), name: 'const' }),
            where: (eb: any) => eb('excluded.n', '>', eb.ref('t.n')),
          },
        } as never,
      )
      expect(report).toMatchObject({ inserted: 0, updated: 1, skipped: 1 })
      expect(await db().all('t')).toEqual([
        [1, 'const', 10],
        [2, 'b', 2],
      ])
    })

    test('counts rows with SQL in them as skipped where they are there', async () => {
      await db().create('t', { columns: { id: 'int primary key', n: 'int' } })
      const one = sql<number>`1`
      await bulkInsert(db().kysely, 't', [{ id: 1, n: one }])
      const rows = [
        { id: 1, n: one },
        { id: 2, n: one },
      ]
      expect(
        await bulkInsert(db().kysely, 't', rows, { onConflict: 'skip' } as never),
      ).toMatchObject({
        inserted: 1,
        skipped: 1,
      })
      const report = await bulkInsert(db().kysely, 't', [...rows, { id: 3, n: one }], {
        onConflict: { target: 'id', update: ['n'] },
      } as never)
      expect(report.attempted).toBe(3)
      expect(report.skipped).toBe(0)
    })

    describe('a name that is none of a table', () => {
      test.each(['t as u', ''])('is refused: %o', async (name) => {
        expect(await rejection(bulkInsert(db().kysely, name, [{ id: 1 }]))).toBeInstanceOf(Error)
      })
    })
  },
)

describeOn(
  pairs.filter(({ orm, kind, isOurs }) => orm === 'kysely' && kind === 'sqlite' && isOurs),
  'a value in the condition of an upsert',
  (db) => {
    const upsert = async (value: unknown): Promise<unknown> =>
      bulkInsert(db().kysely, 't', [{ id: 1, n: 1 }], {
        onConflict: { target: 'id', update: ['n'], where: () => sql`${value} is excluded.id` },
      } as never)

    test.for([
      [true, { updated: 1 }],
      [false, { skipped: 1 }],
      [undefined, { skipped: 1 }],
      [new Date(0), { skipped: 1 }],
      [new Uint8Array([1]), { skipped: 1 }],
      [1n, { updated: 1 }],
    ] as const)('is bound as everywhere: %s', async ([value, counts]) => {
      await db().create('t', { columns: { id: 'int primary key', n: 'int' } })
      await bulkInsert(db().kysely, 't', [{ id: 1, n: 0 }])
      expect(await upsert(value)).toMatchObject(counts)
    })

    test.for([Number.NaN, {}, new Float64Array(1)])(
      'is refused as everywhere: %s',
      async (value) => {
        await db().create('t', { columns: { id: 'int primary key', n: 'int' } })
        await bulkInsert(db().kysely, 't', [{ id: 1, n: 0 }])
        const error = await rejection(upsert(value))
        expect(error.message).toMatch(/which SQLite has no type for/)
        expect(await db().all('t')).toEqual([[1, 0]])
      },
    )
  },
)

test('refuses what is no Kysely', async () => {
  for (const wrong of [undefined, {}, sqliteDrizzle(':memory:')]) {
    const error = await rejection(bulkInsert(wrong as never, 't' as never, []))
    expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'db' })
  }
})
