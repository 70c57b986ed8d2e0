import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { drizzle, migrate, type KeelsonSqliteDatabase } from '@keelson/sqlite/drizzle'
import type { SqliteOptions } from '@keelson/sqlite'
import BetterSqlite3 from 'better-sqlite3'
import { DrizzleQueryError, sql } from 'drizzle-orm'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate as betterSqlite3Migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection, temporaryFile } from './fixture.ts'

const breakpoint = '--> statement-breakpoint\n'

const create = [
  'CREATE TABLE `users` (\n\t`id` integer PRIMARY KEY NOT NULL,\n\t`name` text\n);\n',
  'CREATE TABLE `posts` (\n\t`id` integer PRIMARY KEY NOT NULL,\n\t`user_id` integer NOT NULL,\n\tFOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade\n);\n',
].join(breakpoint)

/** As drizzle-kit writes it when a column changes. */
const rebuild = [
  'PRAGMA foreign_keys=OFF;',
  "CREATE TABLE `__new_users` (\n\t`id` integer PRIMARY KEY NOT NULL,\n\t`name` text DEFAULT 'nobody' NOT NULL\n);\n",
  'INSERT INTO `__new_users`("id", "name") SELECT "id", "name" FROM `users`;',
  'DROP TABLE `users`;',
  'ALTER TABLE `__new_users` RENAME TO `users`;',
  'PRAGMA foreign_keys=ON;',
  'CREATE UNIQUE INDEX `users_name_unique` ON `users` (`name`);',
].join(breakpoint)

/** A folder as `drizzle-kit generate` leaves it. */
function migrationsFolder(...migrations: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-migrations-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'meta'))
  const entries = migrations.map((statements, idx) => {
    const tag = `000${idx}_migration`
    writeFileSync(join(folder, `${tag}.sql`), statements)
    return { idx, version: '6', when: 1_700_000_000_000 + idx, tag, breakpoints: true }
  })
  writeFileSync(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: 'sqlite', entries }),
  )
  return folder
}

function open(options: SqliteOptions = {}): KeelsonSqliteDatabase {
  const db = drizzle({ connection: { path: temporaryFile(), ...options } })
  onTestFinished(() => db.$client.close().then(() => {}))
  return db
}

async function addFamily(db: KeelsonSqliteDatabase): Promise<void> {
  await db.run(sql`insert into users values (1, 'Ada'), (2, 'Alan')`)
  await db.run(sql`insert into posts values (1, 1), (2, 1), (3, 2)`)
}

async function tables(db: KeelsonSqliteDatabase): Promise<unknown[]> {
  return (
    await db.values<[string]>(
      sql`select name from sqlite_master where type = 'table' order by name`,
    )
  ).flat()
}

async function enforcesForeignKeys(db: KeelsonSqliteDatabase): Promise<boolean> {
  return await rejection(db.run(sql`insert into posts values (99, 99)`)).then(
    () => true,
    () => false,
  )
}

describe.for([
  ['a file', {}],
  ['memory', { path: ':memory:' }],
])('on %s, migrate()', ([, options]) => {
  test('rebuilds a table without deleting the rows that refer to it, and enforces foreign keys afterwards', async () => {
    const db = open(options as object)
    await migrate(db, { migrationsFolder: migrationsFolder(create) })
    await addFamily(db)
    await migrate(db, { migrationsFolder: migrationsFolder(create, rebuild) })
    expect(await db.values(sql`select * from users order by id`)).toEqual([
      [1, 'Ada'],
      [2, 'Alan'],
    ])
    expect(await db.values(sql`select * from posts order by id`)).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
    ])
    expect(await enforcesForeignKeys(db)).toBe(true)
    expect((await rejection(db.run(sql`insert into users values (3, null)`))).cause).toMatchObject({
      code: 'SQLITE_CONSTRAINT_NOTNULL',
    })
  })

  test('applies each migration once, in order', async () => {
    const db = open(options as object)
    const folder = migrationsFolder(create, rebuild, "insert into users values (7, 'Grace')")
    await migrate(db, { migrationsFolder: folder })
    await migrate(db, { migrationsFolder: folder })
    expect(await db.values(sql`select * from users`)).toEqual([[7, 'Grace']])
    expect(
      await db.values(
        sql`select id, length(hash), created_at from __drizzle_migrations order by created_at`,
      ),
    ).toEqual([0, 1, 2].map((index) => [null, 64, 1_700_000_000_000 + index]))
  })

  test('leaves nothing of any migration when one fails, and enforces foreign keys afterwards', async () => {
    const db = open(options as object)
    await migrate(db, { migrationsFolder: migrationsFolder(create) })
    await addFamily(db)
    const folder = migrationsFolder(
      create,
      rebuild,
      `create table other (id integer)${breakpoint}insert into nowhere values (1)`,
    )
    const error = await rejection(migrate(db, { migrationsFolder: folder }))
    expect(error).toBeInstanceOf(DrizzleQueryError)
    expect(error).toMatchObject({
      query: expect.stringContaining('insert into nowhere values (1)'),
      cause: { code: 'SQLITE_ERROR' },
    })
    expect(await tables(db)).toEqual(['__drizzle_migrations', 'posts', 'users'])
    expect(await db.values(sql`select count(*) from posts`)).toEqual([[3]])
    expect(await db.values(sql`select count(*) from __drizzle_migrations`)).toEqual([[1]])
    await db.run(sql`update users set name = null`)
    expect(await enforcesForeignKeys(db)).toBe(true)
  })

  test('refuses to leave rows without a parent', async () => {
    const db = open(options as object)
    await migrate(db, { migrationsFolder: migrationsFolder(create) })
    await addFamily(db)
    const folder = migrationsFolder(
      create,
      `PRAGMA foreign_keys=OFF;${breakpoint}delete from users where id = 1;`,
    )
    const error = await rejection(migrate(db, { migrationsFolder: folder }))
    expect(error).toMatchObject({ code: 'MIGRATION_FOREIGN_KEYS' })
    expect(error.message).toContain('2 in "posts"')
    expect(await db.values(sql`select count(*) from users`)).toEqual([[2]])
  })
})

test('a first migration that fails leaves not even the table of migrations', async () => {
  const db = open()
  await rejection(
    migrate(db, { migrationsFolder: migrationsFolder('create table a (id integer', create) }),
  )
  expect(await tables(db)).toEqual([])
})

test('a database that Drizzle’s own migrator has migrated goes on from there, and back', async () => {
  const path = temporaryFile()
  const raw = new BetterSqlite3(path)
  betterSqlite3Migrate(betterSqlite3Drizzle(raw), { migrationsFolder: migrationsFolder(create) })
  raw.close()
  const db = open({ path })
  await addFamily(db)
  const all = migrationsFolder(create, rebuild)
  await migrate(db, { migrationsFolder: all })
  expect(await db.values(sql`select count(*) from __drizzle_migrations`)).toEqual([[2]])
  expect(await db.values(sql`select count(*) from posts`)).toEqual([[3]])
  await db.$client.close()

  const again = new BetterSqlite3(path)
  onTestFinished(() => void again.close())
  betterSqlite3Migrate(betterSqlite3Drizzle(again), { migrationsFolder: all })
  expect(again.prepare('select count(*) as n from __drizzle_migrations').get()).toEqual({ n: 2 })
})

test('keeps its record in the table it is told, whatever its name', async () => {
  const db = open()
  const options = { migrationsFolder: migrationsFolder(create), migrationsTable: 'my "migrations"' }
  await migrate(db, options)
  await migrate(db, options)
  expect(await tables(db)).toEqual(['my "migrations"', 'posts', 'users'])
  expect(await db.values(sql`select count(*) from "my ""migrations"""`)).toEqual([[1]])
})

test('skips a custom migration that has not been written yet, and the end of a file behind its last breakpoint', async () => {
  const db = open()
  const empty = '-- Custom SQL migration file, put your code below! --'
  await migrate(db, {
    migrationsFolder: migrationsFolder(empty, `create table a (id integer);${breakpoint}\n;\n`),
  })
  expect(await tables(db)).toEqual(['__drizzle_migrations', 'a'])
  expect(await db.values(sql`select count(*) from __drizzle_migrations`)).toEqual([[2]])
})

test('says which statements stand without a breakpoint between them', async () => {
  const db = open()
  const error = await rejection(
    migrate(db, {
      migrationsFolder: migrationsFolder('create table a (id); create table b (id);'),
    }),
  )
  expect(error).toMatchObject({ code: 'MULTIPLE_STATEMENTS' })
  expect(error.message).toContain('create table a (id); create table b (id);')
})

test('keeps writers waiting, and tells the logger of its statements', async () => {
  const log: string[] = []
  const db = drizzle({
    connection: temporaryFile(),
    logger: { logQuery: (query) => void log.push(query) },
  })
  onTestFinished(() => db.$client.close().then(() => {}))
  await migrate(db, { migrationsFolder: migrationsFolder(create) })
  expect(log.filter((query) => query.trim().startsWith('CREATE TABLE `'))).toHaveLength(2)

  const order: string[] = []
  const migration = migrate(db, { migrationsFolder: migrationsFolder(create, rebuild) }).then(() =>
    order.push('migration'),
  )
  const write = db.run(sql`insert into users values (1, 'Ada')`).then(() => order.push('write'))
  await Promise.all([migration, write])
  expect(order).toEqual(['migration', 'write'])
})

test('leaves foreign keys off where they were off', async () => {
  const db = open({ foreignKeys: false })
  await migrate(db, { migrationsFolder: migrationsFolder(create, rebuild) })
  expect(await enforcesForeignKeys(db)).toBe(false)
})

test('refuses what it cannot use before it touches the database', async () => {
  const db = open()
  const folder = migrationsFolder(create)
  const run = (options: object, target: unknown = db): Promise<Error> =>
    rejection(migrate(target as never, options as never))
  expect((await run({ migrationsFolder: folder, migrationTable: 'x' })).message).toContain(
    'Did you mean `migrationsTable`?',
  )
  expect((await run({})).message).toContain('cannot use undefined as `migrationsFolder`')
  expect((await run({ migrationsFolder: folder, migrationsTable: '' })).message).toContain(
    'is empty',
  )
  expect((await run({ migrationsFolder: join(folder, 'nowhere') })).message).toContain(
    "Can't find meta/_journal.json",
  )
  expect((await run({ migrationsFolder: folder }, betterSqlite3Drizzle.mock())).message).toContain(
    'as `db`',
  )
  await db.transaction(async (tx) =>
    expect((await run({ migrationsFolder: folder }, tx)).message).toContain('as `db`'),
  )
  expect(await tables(db)).toEqual([])
})

test('of several processes that migrate at once each migration is applied once', async () => {
  const path = temporaryFile()
  const slow = `create table log (id integer primary key);${breakpoint}insert into log select null from (with recursive n(i) as (values (1) union all select i + 1 from n where i < 100000) select i from n)`
  const folder = migrationsFolder(slow, 'create table second (id integer)', create)
  const program = fileURLToPath(new URL('./migrate-process.ts', import.meta.url))
  const processes = [1, 2, 3].map(() =>
    spawn(process.execPath, [program, path, folder], { stdio: ['pipe', 'pipe', 'inherit'] }),
  )
  await Promise.all(processes.map((child) => once(child.stdout, 'data')))
  const outputs = processes.map((child) => text(child.stdout))
  for (const child of processes) child.stdin.write('go\n')
  for (const output of await Promise.all(outputs)) expect(JSON.parse(output)).toEqual({})
  const db = open({ path })
  expect(await db.values(sql`select count(*) from __drizzle_migrations`)).toEqual([[3]])
  expect(await db.values(sql`select count(*) from log`)).toEqual([[100_000]])
})
