import { existsSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createTiming, timingHandler } from '@keelson/timing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { type Project, project } from './project.ts'

/** A configuration, and a script that fills the database that it opens. */
function shop(open: string, statements: readonly string[]): Record<string, string> {
  return {
    'keelson.config.ts': `import { defineConfig } from 'keelson'\n${open}\nexport default defineConfig({ db: open })\n`,
    'migrations/0001_orders.ts': `import { sql } from 'kysely'
export async function up(db) {
  for (const statement of ${JSON.stringify(statements)}) await sql.raw(statement).execute(db)
}`,
    'workload.json': JSON.stringify({ v: 1, queries: asked }),
  }
}

const asked = [
  { text: 'select * from "orders" where "email" = ?', calls: 500 },
  { text: 'select * from "orders" where "id" = ?', calls: 500 },
]

const columns = 'id integer primary key, email varchar(40) not null, note varchar(40) not null'

const sqlite = (): Record<string, string> =>
  shop(
    `import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely } from 'kysely'
const open = () => new Kysely({ dialect: new SqliteDialect({ path: 'shop.db' }) })`,
    [
      `create table orders (${columns})`,
      `with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
       insert into orders select i, 'u' || ((i * 7919) % 9000), 'a note of some length ' || i from n`,
    ],
  )

const series = `insert into orders select i, 'u' || ((i * 7919) % 9000), 'a note of some length ' || i from`

const engines = {
  SQLite: { whatIf: [], open: async () => sqlite() },
  PostgreSQL: {
    whatIf: ['--what-if', 'create-and-roll-back'],
    open: async () =>
      shop(
        `import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
const connectionString = ${JSON.stringify(await (await postgres()).createDatabase())}
const open = () => new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString }) }) })`,
        [`create table orders (${columns})`, `${series} generate_series(1, 20000) n (i)`],
      ),
  },
  DuckDB: {
    whatIf: ['--verify'],
    open: async () =>
      shop(
        `import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { Kysely } from 'kysely'
const open = () => new Kysely({ dialect: new DuckDBDialect({ path: 'shop.duckdb' }) })`,
        [
          `create table orders (${columns})`,
          `insert into orders select i, 'u' || ((i * 7919) % 100003), 'a note' || i from range(200000) n (i)`,
        ],
      ),
  },
}

async function filled(files: Record<string, string>): Promise<Project> {
  const at = project(files)
  expect(await at.run('migrate', '--yes')).toMatchObject({ code: 0 })
  return at
}

describe.for(Object.keys(engines) as (keyof typeof engines)[])('keelson advise on %s', (name) => {
  const { open, whatIf } = engines[name]

  test('proposes what is missing, creates it once it may, and then has nothing to propose', async () => {
    const at = await filled(await open())
    const advise = ['advise', '--workload', 'workload.json', ...whatIf]

    const shown = await at.run(...advise)
    expect(shown).toMatchObject({ code: 2, stderr: '' })
    expect(shown.stdout).toMatch(/1 +orders +[\d.]+ % +[\d.]+ MB +1 +\w+ +ix_orders_email_/)
    expect(shown.stdout).toMatch(/1\. create index "ix_orders_email_\w+" on "orders" \("email"\)/)
    const { code, value } = await at.json(...advise)
    expect(code).toBe(2)
    expect(value.advice.proposals).toMatchObject([{ table: 'orders', sql: expect.any(String) }])

    const unconfirmed = await at.run(...advise, '--apply')
    expect(unconfirmed.code).toBe(2)
    expect(unconfirmed.stderr).toContain('Nothing was done. Say --yes to create them.')
    expect((await at.json('introspect', '--table', 'orders')).value.tables[0].indexes).toEqual([])

    const applied = await at.run(...advise, '--apply', '--yes')
    expect(applied).toMatchObject({ code: 0, stderr: 'Created 1 index.\n' })
    expect(
      (await at.json('introspect', '--table', 'orders')).value.tables[0].indexes,
    ).toMatchObject([{ keys: [{ expression: { name: 'email' } }] }])
    expect(await at.run(...advise)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Nothing to create'),
    })
  })
})

describe('keelson advise', () => {
  test('ends with 3 for a full scan that the baseline does not have', async () => {
    const at = await filled(sqlite())
    const advise = ['advise', '--workload', 'workload.json', '--baseline', 'scans.json']
    expect(await at.run(...advise)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('NO_BASELINE'),
    })
    expect((await at.run(...advise, '--update-baseline')).code).toBe(2)
    expect(JSON.parse(readFileSync(join(at.directory, 'scans.json'), 'utf8'))).toMatchObject({
      scans: [{ table: 'orders', text: asked[0]!.text }],
    })
    expect((await at.run(...advise)).code).toBe(2)
    const other = { text: 'select * from "orders" where "note" = ?', calls: 1 }
    at.write('workload.json', JSON.stringify({ v: 1, queries: [...asked, other] }))
    const failed = await at.run(...advise)
    expect(failed.code).toBe(3)
    expect(failed.stdout).toMatch(/new full scan of orders: \w{10} select .* "note" = \?/)
    const { value } = await at.json(...advise)
    expect(value.newFullScans).toMatchObject([{ table: 'orders', text: other.text }])
    at.write('scans.json', '{}')
    expect((await at.run(...advise)).stderr).toContain('INVALID_BASELINE')
  })

  test('prints its advice as a migration that keelson takes, as SQL, and for Drizzle', async () => {
    const at = await filled(sqlite())
    const emit = async (what: string): Promise<string> =>
      (await at.run('advise', '--workload', 'workload.json', '--emit', what)).stdout
    expect(await emit('sql')).toMatch(
      /^create index "ix_orders_email_\w+" .*;\nanalyze "orders";\n$/,
    )
    expect(await emit('drizzle')).toMatch(/^\/\/ orders\n\(\) => \[\n {2}index\("ix_orders_email_/)
    at.write('migrations/0002_advised.ts', await emit('kysely-migration'))
    expect((await at.run('migrate', '--yes')).code).toBe(0)
    expect((await at.run('advise', '--workload', 'workload.json')).code).toBe(0)
  })

  test('keeps to a budget, and says what did not fit', async () => {
    const at = await filled(sqlite())
    const { stdout, code } = await at.run('advise', '-w', 'workload.json', '--budget-mb', '0.01')
    expect(code).toBe(0)
    expect(stdout).toMatch(/orders \(email\) +BUDGET/)
  })

  test('reads the workload of a running application, to whom it says who asks', async () => {
    const at = await filled(sqlite())
    const timing = createTiming({ sampleParams: 2 })
    const handler = timingHandler(timing, { basePath: '/timing' })
    const db = await watched(at, timing)
    for (let call = 0; call < 20; call++)
      await db.selectFrom('orders').selectAll().where('email', '=', 'u4711').execute()
    const server = createServer((request, response) => {
      if (request.headers.authorization !== 'Bearer me') {
        response.writeHead(401).end()
        return
      }
      void handler(new Request(`http://localhost${request.url}`)).then(async (answer) => {
        response.writeHead(answer.status)
        response.end(await answer.text())
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/timing`
    const advise = ['advise', '--workload', url]
    const refused = await at.run(...advise)
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain('it answers 401')
    const shown = await at.run(...advise, '--header', 'authorization: Bearer me')
    expect(shown.code).toBe(2)
    expect(shown.stdout).toContain('on "orders" ("email")')
    expect(shown.stdout).not.toContain('4711')
  })

  test.for([
    { args: [], says: "required option '-w, --workload <file or url>' not specified" },
    { args: ['-w', 'nothing.json'], says: 'NO_WORKLOAD: Cannot read nothing.json' },
    { args: ['-w', 'package.json'], says: 'INVALID_WORKLOAD: package.json is no workload.' },
    { args: ['-w', 'workload.json', '--budget-mb', 'much'], says: 'Give a number.' },
    { args: ['-w', 'workload.json', '--max-per-table', '0'], says: 'INVALID_OPTION' },
    { args: ['-w', 'workload.json', '--update-baseline'], says: 'takes --baseline <file>' },
    { args: ['-w', 'workload.json', '--what-if', 'magic'], says: 'Allowed choices are auto' },
  ])('ends with 1 for $args', async ({ args, says }) => {
    const at = project(sqlite())
    const { code, stdout, stderr } = await at.run('advise', ...args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(says)
    expect(existsSync(join(at.directory, 'scans.json'))).toBe(false)
  })
})

async function watched(at: Project, timing: ReturnType<typeof createTiming>) {
  const { SqliteDialect } = await import('@keelson/sqlite/kysely')
  const { withTiming } = await import('@keelson/timing/kysely')
  const { Kysely } = await import('kysely')
  const db = new Kysely<{ orders: { id: number; email: string; note: string } }>({
    dialect: withTiming(new SqliteDialect({ path: join(at.directory, 'shop.db') }), timing),
  })
  onTestFinished(() => db.destroy())
  return db
}
