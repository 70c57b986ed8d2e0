import {
  createIndexSql,
  createTableSql,
  type IndexDefinition,
  type JsonPath,
} from '@keelson/indexes'
import { type Kysely, sql } from 'kysely'
import { afterEach, expect, it } from 'vitest'
import { openDatabase, rowsOf, run, tableOf } from './fixture.ts'

interface Schema {
  record: { id: number; data: { address: { "it's": string }[]; city: string } }
}

let db: Kysely<Schema>
afterEach(() => db.destroy())

const table = tableOf('record', { id: { kind: 'integer' }, data: { kind: 'json' } })

async function planOn(query: {
  compile(): { sql: string; parameters: readonly unknown[] }
}): Promise<string> {
  const compiled = query.compile()
  const rows = await rowsOf(db, `explain query plan ${compiled.sql}`, compiled.parameters)
  return rows.map(({ detail }) => String(detail)).join('; ')
}

async function withIndexOn(path: JsonPath['path']): Promise<void> {
  db = await openDatabase('sqlite')
  const index: IndexDefinition = {
    name: 'by_path',
    keys: [{ expression: { kind: 'json', column: 'data', path, as: 'string' } }],
    unique: false,
  }
  await run(db, ...createTableSql(table, 'sqlite'), createIndexSql(table, index, 'sqlite'))
}

it("serves the path of a query of Kysely's on SQLite", async () => {
  await withIndexOn(['address', 0, "it's"])
  const query = db
    .selectFrom('record')
    .select('id')
    .where((eb) => eb(eb.ref('data', '->>').key('address').at(0).key("it's"), '=', 'here'))
  expect(await planOn(query)).toContain('USING INDEX by_path')
})

it('serves the path as it is written by hand for Drizzle on SQLite', async () => {
  await withIndexOn(['city'])
  const query = db
    .selectFrom('record')
    .select('id')
    .where(sql`"data"->>'city'`, '=', 'Paris')
  expect(await planOn(query)).toContain('USING INDEX by_path')
})
