import {
  createTableSql,
  defineTable,
  revertPlan,
  type TableDefinition,
  UnsupportedByEngineError,
  UnsupportedChangeError,
} from '@keelson/indexes'
import { applyPlan, diffSchema } from '@keelson/indexes/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import fc from 'fast-check'
import { Kysely, sql } from 'kysely'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { record, runs, seed } from '../support/runs.ts'
import { arbitraryEvolution } from './arbitrary-evolution.ts'
import { arbitraryTable } from './arbitrary-table.ts'
import { engines, type SchemaDatabase } from './schema-databases.ts'

describe.each(engines)('on %s', (name, open) => {
  it('finds nothing to do after a plan was applied, and what was there before after it was undone', async () => {
    const database = await open()
    const numRuns = runs(10, 500)
    await fc.assert(
      fc.asyncProperty(arbitraryTable(database.engine), async (table) => {
        const plan = await database.diffSchema([table])
        expect(plan.steps.length).toBeGreaterThan(0)
        const { fingerprint } = await database.applyPlan(plan)
        const second = await database.diffSchema([table])
        expect(second.steps).toEqual([])
        expect(second.fingerprint).toBe(fingerprint)
        // It reads what there is, where the second look at SQLite only compared texts.
        const { fingerprint: read } = await database.applyPlan(second, { dryRun: true })
        expect(read).toBe(fingerprint)
        await database.applyPlan(revertPlan(plan), { allowDrop: true })
        expect(await database.introspect()).toEqual([])
      }),
      { seed, numRuns, endOnFailure: true },
    )
    record('indexes-diff', { [`${name} created`]: numRuns })
  })

  it('does so with any change of a table', async () => {
    const database = await open()
    const numRuns = runs(12, 500)
    let refused = 0
    await fc.assert(
      fc.asyncProperty(arbitraryEvolution(database.engine), async ({ before, after }) => {
        const created = await database.diffSchema([before])
        await database.applyPlan(created)
        try {
          const schema = await schemaOf(database)
          const fingerprint = (await database.diffSchema([before])).fingerprint
          let plan
          try {
            plan = await database.diffSchema([after])
          } catch (error) {
            if (
              !(
                error instanceof UnsupportedChangeError || error instanceof UnsupportedByEngineError
              )
            )
              throw error
            refused++
            return
          }
          const report = await database.applyPlan(plan, { allowDrop: true })
          const second = await database.diffSchema([after])
          expect(second.steps).toEqual([])
          expect(second.fingerprint).toBe(report.fingerprint)
          if (plan.steps.length === 0) return
          await database.applyPlan(revertPlan(plan), { allowDrop: true })
          expect(await schemaOf(database)).toEqual(schema)
          expect((await database.diffSchema([before])).fingerprint).toBe(fingerprint)
        } finally {
          await database.sql(...dropAll(database, before.name))
        }
      }),
      { seed, numRuns, endOnFailure: true },
    )
    console.info(`${name}: ${refused} of ${numRuns} changes refused`)
    record('indexes-diff', { [`${name} changed`]: numRuns, [`${name} refused`]: refused })
  })
})

it('reads nothing but the texts of SQLite tables that are as they were created', async () => {
  const statements: string[] = []
  const db = new Kysely<any>({
    dialect: new SqliteDialect({ path: ':memory:' }),
    log: ({ query }) => void statements.push(query.sql),
  })
  onTestFinished(() => db.destroy())
  const [one, other] = ['one', 'other'].map((name) =>
    defineTable(name, z.object({ id: z.int(), at: z.iso.datetime() }), ({ at }, { index }) => ({
      indexes: [index(at)],
    })),
  ) as [TableDefinition, TableDefinition]
  await applyPlan(db, await diffSchema(db, [one, other]))

  statements.length = 0
  expect((await diffSchema(db, [one, other])).steps).toEqual([])
  expect(statements).toEqual([expect.stringContaining('sqlite_schema')])

  await sql`create index by_hand on other (id)`.execute(db)
  statements.length = 0
  const { unmanaged, steps } = await diffSchema(db, [one, other])
  expect({ unmanaged, steps }).toEqual({ unmanaged: ['by_hand'], steps: [] })
  expect(statements.length).toBeGreaterThan(1)
})

it('reads SQLite tables with UNIQUE constraints, whose indexes have no text', async () => {
  const db = new Kysely<any>({ dialect: new SqliteDialect({ path: ':memory:' }) })
  onTestFinished(() => db.destroy())
  const { indexes, ...rest } = defineTable(
    'one',
    z.object({ a: z.int() }),
    ({ a }, { unique }) => ({
      indexes: [unique(a)],
    }),
  )
  const one = {
    ...rest,
    indexes: indexes.map((index) => ({ ...index, constraint: true as const })),
  }
  for (const text of createTableSql(one, 'sqlite')) await sql.raw(text).execute(db)
  await sql`create index by_hand on one (a)`.execute(db)

  const plan = await diffSchema(db, [one])
  expect(plan).toMatchObject({ unmanaged: ['by_hand'], steps: [] })
  expect((await applyPlan(db, plan, { dryRun: true })).fingerprint).toBe(plan.fingerprint)
})

/** Introspection with columns by name, since one that is dropped comes back at the end; on SQLite the text itself. */
async function schemaOf(database: SchemaDatabase): Promise<unknown> {
  if (database.engine === 'sqlite') {
    return database.sql(
      'select type, name, tbl_name, sql from sqlite_schema where sql is not null order by name',
    )
  }
  const tables = await database.introspect()
  return tables.map((table) => ({
    ...table,
    columns: table.columns.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
  }))
}

function dropAll({ engine }: SchemaDatabase, table: string): readonly string[] {
  const name = `"${table.replaceAll('"', '""')}"`
  return [`drop table if exists ${name}${engine === 'postgresql' ? ' cascade' : ''}`]
}
