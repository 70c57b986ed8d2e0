import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configOf, notes, project, sqlite } from './project.ts'

describe('keelson migrate', () => {
  test('applies migrations, and refuses one that was edited', async () => {
    const migration = (column: string): string => `import { sql } from 'kysely'
export const up = (db) => sql\`alter table notes add column ${column} text\`.execute(db)
export const down = (db) => sql\`alter table notes drop column ${column}\`.execute(db)`
    const at = project(configOf(sqlite))
    at.write('tables/notes.ts', notes('title: z.string()'))
    expect((await at.run('ensure')).code).toBe(0)
    at.write('migrations/0001_body.js', migration('body'))

    const dry = await at.run('migrate', '--dry-run')
    expect(dry).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('alter table notes add column body text;'),
    })
    const applied = await at.run('migrate', '--backup', 'before.db')
    expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining('applied 0001_body') })
    expect(existsSync(join(at.directory, 'before.db'))).toBe(true)
    expect(await at.json('migrate')).toMatchObject({
      code: 0,
      value: { applied: [], skipped: ['0001_body'] },
    })
    expect((await at.run('migrate', '--dry-run')).code).toBe(0)

    expect(await at.run('migrate', '--down', 'last')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('say --yes'),
    })
    at.write('migrations/0001_body.js', migration('other'))
    expect(await at.run('migrate')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('MIGRATION_EDITED'),
    })
    at.write('migrations/0001_body.js', migration('body'))
    expect(await at.run('migrate', '--down', 'last', '--yes')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('undone 0001_body'),
    })
    at.write('migrations/0001_body.js', 'export const up = 1')
    expect(await at.run('migrate')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('MIGRATION_SOURCE'),
    })
  })

  test('applies the migrations of a folder of Drizzle, in the order of its journal', async () => {
    const at = project({
      'keelson.config.ts': `import Database from 'better-sqlite3'
import { defineConfig } from 'keelson'
import { drizzle } from 'drizzle-orm/better-sqlite3'
export default defineConfig({ db: () => drizzle(new Database('notes.db')), migrations: 'drizzle' })`,
      'drizzle/0000_notes.sql':
        'CREATE TABLE `notes` (`id` integer PRIMARY KEY);\n--> statement-breakpoint\nCREATE INDEX `by_id` ON `notes` (`id`);',
      'drizzle/0001_body.sql': 'ALTER TABLE `notes` ADD `body` text;',
      'drizzle/meta/_journal.json': JSON.stringify({
        version: '7',
        dialect: 'sqlite',
        entries: ['0000_notes', '0001_body'].map((tag, idx) => {
          return { idx, version: '6', when: 1_700_000_000_000 + idx, tag, breakpoints: true }
        }),
      }),
    })
    expect((await at.json('migrate', '--dry-run')).value.plan).toHaveLength(2)
    expect(await at.json('migrate')).toMatchObject({
      code: 0,
      value: { applied: [{ name: '0000_notes' }, { name: '0001_body' }] },
    })
    const { tables } = (await at.json('introspect', '--table', 'notes')).value
    expect(tables).toMatchObject([{ columns: [{ name: 'id' }, { name: 'body' }] }])
    expect(await at.json('migrate')).toMatchObject({
      code: 0,
      value: { applied: [], skipped: ['0000_notes', '0001_body'] },
    })
    at.write('drizzle/0001_body.sql', 'ALTER TABLE `notes` ADD `other` text;')
    expect(await at.json('migrate')).toMatchObject({
      code: 3,
      value: { error: { code: 'MIGRATION_EDITED', migrations: ['0001_body'] } },
    })
  })
})
