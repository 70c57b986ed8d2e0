import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { keelsonWithin } from './keelson.ts'
import { configOf, notes, project, sqlite } from './project.ts'

const engines = {
  'SQLite by Kysely': { engine: 'sqlite', drop: 'dropColumn', open: async () => sqlite },
  'DuckDB by Kysely': {
    engine: 'duckdb',
    // It drops no column of a table with a key.
    drop: 'rebuildTable',
    open: async () => `import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { Kysely } from 'kysely'
const open = () => new Kysely({ dialect: new DuckDBDialect({ path: 'notes.duckdb' }) })`,
  },
  'PostgreSQL by pg and Drizzle': {
    engine: 'postgresql',
    drop: 'dropColumn',
    open: async () => `import { drizzle } from 'drizzle-orm/node-postgres'
const open = () => drizzle(${JSON.stringify(await (await postgres()).createDatabase())})`,
  },
}

describe.for(Object.keys(engines) as (keyof typeof engines)[])('keelson on %s', (name) => {
  const { engine, drop, open } = engines[name]

  test('shows what is to be done, does it once it may, and then has nothing to do', async () => {
    const at = project(configOf(await open()))
    at.write(
      'tables/notes.ts',
      notes(
        'title: z.string().max(100)',
        `, (columns, { index }) => ({ indexes: [index(columns.title)] })`,
      ),
    )

    const diff = await at.run('diff')
    expect(diff).toMatchObject({ code: 2, stderr: '' })
    expect(diff.stdout).toContain(`2 steps on ${engine}`)
    expect(diff.stdout).toMatch(/1 +safe +createTable notes/)
    expect(diff.stdout).toContain('create table "notes" (')
    const { code, value: plan } = await at.json('diff')
    expect(code).toBe(2)
    expect(plan).toMatchObject({
      v: 1,
      engine,
      steps: [
        { kind: 'createTable', table: 'notes', risk: 'safe', sql: [expect.any(String)] },
        { kind: 'createIndex', table: 'notes', object: expect.stringMatching(/^ix_notes_title_/) },
      ],
    })

    const unconfirmed = await at.run('apply')
    expect(unconfirmed.code).toBe(2)
    expect(unconfirmed.stderr).toContain('Nothing was done. Say --yes to take the steps.')
    expect((await at.run('apply', '--dry-run')).code).toBe(2)
    expect((await at.json('introspect')).value.tables).toEqual([])

    const applied = await at.json('apply', '--yes')
    expect(applied).toMatchObject({ code: 0, value: { plan, report: { applied: 2 } } })
    expect(await at.run('diff')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Nothing to do'),
    })
    expect((await at.run('apply')).code).toBe(0)
    expect((await at.json('introspect')).value.tables).toMatchObject([
      { name: 'notes', indexes: [{ unique: false }] },
    ])
  })

  test('takes no step that loses data before it was asked to', async () => {
    const at = project(configOf(await open()))
    at.write('tables/notes.ts', notes('title: z.string().max(100), body: z.string().optional()'))
    expect((await at.run('ensure')).code).toBe(0)
    at.write('tables/notes.ts', notes('title: z.string().max(100)'))

    expect(await at.run('diff')).toMatchObject({ code: 3, stderr: '' })
    const refused = await at.run('apply', '--yes')
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain(`${drop} notes.body: say --allow-drop, since data is lost.`)
    const ensured = await at.json('ensure')
    expect(ensured).toMatchObject({
      code: 3,
      value: { error: { code: 'NOT_ADDITIVE', steps: [{ kind: drop }] } },
    })
    expect((await at.json('introspect')).value.tables[0].columns).toHaveLength(3)

    const dropped = await at.run('apply', '--yes', '--allow-drop', '--allow-locking')
    expect(dropped).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`[1/1] ${drop} notes.body`),
    })
    expect((await at.json('introspect')).value.tables[0].columns).toHaveLength(2)
  })

  test('prints the tables of the database as code, from which the same tables come', async () => {
    const at = project(configOf(await open()))
    at.write('tables/notes.ts', notes(`title: z.string().max(100), state: z.enum(['new', 'old'])`))
    expect((await at.run('ensure')).code).toBe(0)
    expect((await at.run('introspect')).stdout).toContain('create table "notes" (')
    expect((await at.run('introspect', '--emit', 'kysely-types')).stdout).toContain(
      `state: 'new' | 'old'`,
    )
    expect((await at.run('introspect', '--emit', 'drizzle', '--out', 'schema.ts')).code).toBe(0)
    expect(readFileSync(join(at.directory, 'schema.ts'), 'utf8')).toContain(`Table(`)
    expect(await at.run('introspect', '--table', 'nothing')).toMatchObject({
      code: 1,
      stderr: 'There is no table nothing.\n',
    })
  })
})

describe('keelson', () => {
  test('makes a copy of a SQLite file before it changes it', async () => {
    const at = project(configOf(sqlite))
    at.write('tables/notes.ts', notes('title: z.string()'))
    expect((await at.run('ensure')).code).toBe(0)
    at.write('tables/notes.ts', notes('title: z.string(), body: z.string().optional()'))
    expect((await at.run('apply', '--yes', '--backup', 'before.db')).code).toBe(0)
    expect(existsSync(join(at.directory, 'before.db'))).toBe(true)
    at.write(
      'tables/notes.ts',
      notes('title: z.string(), body: z.string().optional(), more: z.string().optional()'),
    )
    expect(await at.run('apply', '--yes', '--backup', 'before.db')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('error BACKUP'),
    })
  })

  test('writes tables as code, and tells in CI when that is out of date', async () => {
    const at = project({
      'keelson.config.ts': `import { defineConfig } from 'keelson'
import { notes } from './tables/notes.ts'
export default defineConfig({ dialect: 'postgresql', tables: [notes], out: 'made' })`,
      'tables/notes.ts': notes('title: z.string().max(100)'),
    })
    const generate = ['generate', '--emit', 'sql,drizzle,kysely-types,kysely-migration']
    expect((await at.run(...generate, '--check')).code).toBe(2)
    expect(existsSync(join(at.directory, 'made'))).toBe(false)
    const { code, value } = await at.json(...generate)
    expect(code).toBe(0)
    expect(value.files).toHaveLength(4)
    for (const { path, isChanged } of value.files) {
      expect(isChanged).toBe(true)
      expect(readFileSync(join(at.directory, path), 'utf8')).toContain('notes')
    }
    expect(await at.run(...generate, '--check')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('unchanged made/schema.sql'),
    })
    at.write('made/schema.sql', '-- edited')
    expect(await at.run(...generate, '--check')).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('would change made/schema.sql'),
    })
    expect(await at.run('generate', '--emit', 'prisma')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('prisma'),
    })
  })

  test('finds indexes that help nobody, and keys without one', async () => {
    const at = project(configOf(sqlite))
    at.write('tables/notes.ts', notes('title: z.string()'))
    expect((await at.run('ensure')).code).toBe(0)
    expect(await at.run('lint')).toMatchObject({ code: 0, stdout: 'Nothing found.\n' })
    at.write(
      'tables/notes.ts',
      notes(
        `title: z.string(), note: z.int().meta({ db: { references: { table: 'notes', column: 'id' } } })`,
        ', (columns, { index }) => ({ indexes: [index(columns.title), index(columns.title, columns.note)] })',
      ),
    )
    const { code, value } = await at.json('lint')
    expect(code).toBe(2)
    expect(value.findings).toMatchObject([
      { source: 'definition', table: 'notes', code: 'REDUNDANT' },
      { source: 'definition', table: 'notes', object: 'note', code: 'FOREIGN_KEY_WITHOUT_INDEX' },
    ])
  })

  test('takes no step that keeps others from writing before it was asked to', async () => {
    const url = JSON.stringify(await (await postgres()).createDatabase())
    const at = project(
      configOf(`import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
const open = () => new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: ${url} }) }) })`),
    )
    at.write('tables/notes.ts', notes('title: z.string().max(100)'))
    expect((await at.run('ensure')).code).toBe(0)
    at.write(
      'migrations/0001_rows.js',
      `import { sql } from 'kysely'
export const up = (db) => sql\`insert into notes select i, 'n' || i from generate_series(1, 200000) i\`.execute(db)`,
    )
    expect((await at.run('migrate')).code).toBe(0)
    at.write(
      'tables/notes.ts',
      notes(
        'title: z.string().max(100)',
        ', (columns, { index }) => ({ indexes: [index(columns.title)] })',
      ),
    )
    expect((await at.run('diff')).code).toBe(3)
    const refused = await at.json('apply', '--yes')
    expect(refused).toMatchObject({
      code: 3,
      value: { report: null, error: { code: 'NOT_ALLOWED' } },
    })
    expect(refused.value.error.message).toMatch(
      /createIndex notes\.ix_notes_title_\w+: say --allow-locking, since nobody can write meanwhile\.$/,
    )
    const indexes = async (): Promise<unknown[]> =>
      (await at.json('introspect')).value.tables[0].indexes
    expect(await indexes()).toEqual([])
    expect((await at.run('apply', '--yes', '--allow-locking')).code).toBe(0)
    expect(await indexes()).toHaveLength(1)
  })

  test('works over a driver of Drizzle that is synchronous', async () => {
    const at = project(
      configOf(`import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
const open = () => drizzle(new Database('notes.db'))`),
    )
    at.write('tables/notes.ts', notes('title: z.string()'))
    expect((await at.json('apply', '--yes')).value.report).toMatchObject({ applied: 1 })
    expect((await at.run('diff')).code).toBe(0)
  })

  test('lets the error of the database through', async () => {
    const at = project(configOf(sqlite.replace('notes.db', 'nowhere/notes.db')))
    at.write('tables/notes.ts', notes('title: z.string()'))
    expect(await at.run('diff')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('nowhere'),
    })
  })

  test.for(['diff', 'apply', 'ensure', 'generate', 'introspect', 'lint', 'migrate'])(
    'explains %s',
    async (command) => {
      const { code, stdout } = await keelsonWithin(process.cwd(), command, '--help')
      expect(code).toBe(0)
      expect(stdout).toContain(`Usage: keelson ${command} [options]`)
      expect(stdout).toContain('--config <path>')
      expect(stdout).toMatch(/Examples:|Ends with 0/)
    },
  )
})
