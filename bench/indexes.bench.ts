// What schemas that are defined at run time cost: 1,000 of zod, of 12 fields each, made into tables and code, beside a plain
// walk over the schemas and zod's own JSON Schema; a plan that finds nothing to do for 1,000 tables, beside reading the text of
// them; and `ensureTables` for tables that it knows. Run alone with `pnpm bench indexes`, or for a first look with
// `pnpm bench indexes --quick`. The figures are the CPU time of the calling thread, since a busy machine takes turns.
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { defineTable, type Emit, generateSchema, type TableDefinition } from '@keelson/indexes'
import { applyPlan, diffSchema, ensureTables, introspect } from '@keelson/indexes/kysely'
import { Kysely, sql } from 'kysely'
import { z } from 'zod'
import { printStandings, writeResults } from './support/results.ts'
import { type Contender, sideBySide, type Standing } from './support/side-by-side.ts'

const quick = process.argv.includes('--quick')
const count = 1_000
const results: Record<string, Standing[]> = {}

const schemas = Array.from({ length: count }, (_, number) => ({
  name: `record_${number}`,
  schema: z.object({
    id: z.uuid().meta({ db: { primaryKey: true } }),
    tenant: z.string().max(40),
    email: z
      .email()
      .max(254)
      .meta({ db: { unique: true } }),
    title: z.string().min(1).max(200),
    status: z.enum(['open', 'held', 'closed']).default('open'),
    score: z.number().min(0).optional(),
    quantity: z.int().min(0).max(1_000_000),
    paid: z.boolean().default(false),
    day: z.iso.date().nullable(),
    createdAt: z.iso.datetime(),
    tags: z.array(z.string()),
    data: z.object({ price: z.number(), city: z.string() }).optional(),
  }),
}))
const tables = read()
const one: readonly Emit[] = ['sql']
const all: readonly Emit[] = ['sql', 'kysely-migration', 'drizzle', 'kysely-types']

await compare(`${count} schemas of 12 fields`, 1, [
  { name: 'a plain walk over zod', run: walk },
  { name: 'z.toJSONSchema()', run: toJsonSchema },
  { name: 'defineTable()', run: () => read().length },
  { name: 'defineTable() and SQL', run: () => generate(read(), one) },
  { name: 'defineTable() and all four outputs', run: () => generate(read(), all) },
])

const db = new Kysely<any>({ dialect: new SqliteDialect({ path: ':memory:' }) })
await applyPlan(db, await diffSchema(db, tables))
await compare(`a plan for ${count} tables that are there`, 1, [
  { name: 'reading their text', run: readText },
  { name: 'introspect()', run: async () => (await introspect(db)).length },
  { name: 'diffSchema()', run: async () => count + (await diffSchema(db, tables)).steps.length },
])

const [table] = tables
await ensureTables(db, [table!])
await compare('ensureTables() for a table that is known to be there', 1_000, [
  { name: 'an awaited nothing', run: (times) => repeat(times, () => Promise.resolve()) },
  { name: 'ensureTables()', run: (times) => repeat(times, () => ensureTables(db, [table!])) },
  {
    name: 'create table if not exists',
    run: (times) =>
      repeat(times, () => sql`create table if not exists record_0 (id text)`.execute(db)),
  },
])
await db.destroy()

if (!quick) {
  writeResults(new URL('results/indexes.json', import.meta.url), ['zod', 'kysely'], { results })
}

async function compare(
  title: string,
  times: number,
  contenders: readonly Contender[],
): Promise<void> {
  const baseline = contenders[0]!.name
  const rounds = quick ? 5 : 21
  const standings = await sideBySide({ title, baseline, times, rounds, contenders })
  printStandings(title, baseline, standings)
  results[title] = standings
}

function read(): readonly TableDefinition[] {
  return schemas.map(({ name, schema }) =>
    defineTable(name, schema, (columns, on) => ({
      indexes: [on.index(columns.status, on.desc(columns.createdAt))],
      queries: [on.query.where(columns.tenant).sort(on.desc(columns.createdAt)).limit()],
    })),
  )
}

function generate(given: readonly TableDefinition[], emit: readonly Emit[]): number {
  const { files } = generateSchema(given, { dialect: 'sqlite', emit })
  if (files.length !== emit.length) throw new Error(`${files.length} files`)
  return count
}

/** The least that a reader does: every field, what it wraps, its type and its checks. */
function walk(): number {
  for (const { schema } of schemas) {
    const lines: string[] = []
    for (const [name, field] of Object.entries(schema.shape)) {
      let type: any = field
      while (type.def.innerType !== undefined) type = type.def.innerType
      const checks = (type.def.checks ?? []).map((check: any) => check._zod.def.check)
      lines.push(`"${name}" ${type.def.type} ${checks.join()}`)
    }
    if (lines.join(',\n').length === 0) throw new Error('nothing was read')
  }
  return count
}

function toJsonSchema(): number {
  for (const { schema } of schemas) z.toJSONSchema(schema)
  return count
}

async function readText(): Promise<number> {
  const { rows } = await sql`select name, sql from sqlite_schema where type = 'table'`.execute(db)
  return Math.min(rows.length, count)
}

async function repeat(times: number, fn: () => Promise<unknown>): Promise<number> {
  for (let at = 0; at < times; at++) await fn()
  return times
}
