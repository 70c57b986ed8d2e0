// Every row that a zod object accepts is accepted by the table that is made of it, and bounds are exact on both sides.
import { dropTableSql, defineTable, rowEncoder, type TableDefinition } from '@keelson/indexes'
import fc from 'fast-check'
import type { Kysely } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { record, runs, seed } from '../support/runs.ts'
import { creating, type LiveEngine, liveEngines, openDatabase, run } from './fixture.ts'
import { type ZodField, zodField } from './arbitrary-zod.ts'

const tables = runs(30, 1_020)
const rowsPerTable = 10

describe.each(liveEngines)('%s', (engine) => {
  let db: Kysely<any>
  beforeAll(async () => {
    db = await openDatabase(engine)
  })
  afterAll(() => db.destroy())

  test('a table accepts every row that its zod object accepts', async () => {
    let inserted = 0
    const begin = performance.now()
    const property = fc.asyncProperty(
      fc.array(zodField(), { minLength: 1, maxLength: 6 }),
      async (fields) => {
        const object = z.object(
          Object.fromEntries(fields.map(({ schema }, at) => [`f${at}`, schema])),
        )
        const table = defineTable('accepted', object)
        await run(db, ...creating(table, engine))
        try {
          for (const row of rowsOf(fields)) {
            const given = object.safeParse(row)
            // A field of which no value is accepted has made no rows.
            if (!given.success) continue
            await insert(db, table, engine, given.data)
            inserted++
          }
        } finally {
          await run(db, ...dropTableSql(table, engine))
        }
      },
    )
    await fc.assert(property, { seed, numRuns: tables })
    expect(inserted).toBeGreaterThan(tables)
    record(`zod-soundness-${engine}`, {
      tables,
      inserted,
      durationMs: Math.round(performance.now() - begin),
    })
  })

  const refusedAt: readonly (readonly [string, z.ZodType, accepted: unknown, refused: unknown])[] =
    [
      ['int().min(3)', z.int().min(3), 3, 2],
      ['int().gt(3)', z.int().gt(3), 4, 3],
      ['int().gt(2.5)', z.int().gt(2.5), 3, 2],
      ['int().max(3)', z.int().max(3), 3, 4],
      ['int().lt(3)', z.int().lt(3), 2, 3],
      ['int32()', z.int32(), 2_147_483_647, 2_147_483_648],
      ['uint32()', z.uint32(), 4_294_967_295, 4_294_967_296],
      ['bigint().gt(2^60)', z.bigint().gt(2n ** 60n), 2n ** 60n + 1n, 2n ** 60n],
      ['number().min(0.1)', z.number().min(0.1), 0.1, 0.09999999999999999],
      ['number().gt(0.1)', z.number().gt(0.1), 0.10000000000000002, 0.1],
      [
        'number().gt(a bound of many digits)',
        z.number().gt(-0.00048420088162973076),
        -0.0004842008816297307,
        -0.00048420088162973076,
      ],
      ['number().lt(1e-300)', z.number().lt(1e-300), 9.999999999999999e-301, 1e-300],
      ['string().min(1)', z.string().min(1), 'a', ''],
      ['string().min(2)', z.string().min(2), '😀a', '😀'],
      ['string().max(2)', z.string().max(2), '😀a', '😀ab'],
      ['string().length(2)', z.string().length(2), '😀a', '😀'],
      ['enum', z.enum(['a', "b'"]), "b'", 'b'],
      ['literal([1, 2])', z.literal([1, 2]), 2, 3],
      ['literal(true)', z.literal(true), true, false],
      ['date().min()', z.date().min(new Date(1_000)), new Date(1_000), new Date(999)],
      ['date().lt', z.date().max(new Date(1_000)), new Date(1_000), new Date(1_001)],
      ['a required field', z.string(), '', null],
    ]

  test.each(refusedAt)('%s ends exactly there', async (_, schema, accepted, refused) => {
    const object = z.object({ f: schema })
    const table = defineTable('bounds', object)
    await run(db, ...creating(table, engine))
    try {
      expect(object.safeParse({ f: accepted }).success).toBe(true)
      expect(object.safeParse({ f: refused }).success).toBe(false)
      await insert(db, table, engine, { f: accepted })
      await expect(insert(db, table, engine, { f: refused })).rejects.toThrow(
        /constraint|out of (?:the )?range|NULL|Could not convert|violates/i,
      )
    } finally {
      await run(db, ...dropTableSql(table, engine))
    }
  })
})

async function insert(
  db: Kysely<any>,
  table: TableDefinition,
  engine: LiveEngine,
  row: Readonly<Record<string, unknown>>,
): Promise<void> {
  const encoded = rowEncoder(table, engine)(row)
  const query = db.insertInto(table.name)
  await (
    Object.keys(encoded).length === 0 ? query.defaultValues() : query.values(encoded)
  ).execute()
}

/** Rows in which each field takes those of its values in turn that its schema accepts. */
function rowsOf(fields: readonly ZodField[]): readonly Record<string, unknown>[] {
  const accepted = fields.map(({ schema, values }) =>
    values.filter((value) => schema.safeParse(value).success),
  )
  return Array.from({ length: rowsPerTable }, (_, row) =>
    Object.fromEntries(accepted.map((values, at) => [`f${at}`, values[row % values.length]])),
  )
}
