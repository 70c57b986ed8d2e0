// Databases that the ORMs' own migrators have migrated, and what those get wrong: each of M1 to M4 here is a result of theirs
// that was reproduced, with the right one in its place.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as onDrizzle from '@keelson/indexes/drizzle'
import { migrateSafely, repairMigration, type SafeMigration } from '@keelson/indexes/kysely'
import { drizzle as duckdbDrizzle, migrate as duckdbMigrate } from '@keelson/duckdb/drizzle'
import { withTiming } from '@keelson/timing/kysely'
import { createTiming } from '@keelson/timing'
import { withTransactions } from '@keelson/transactions/kysely'
import { transaction, withTransactions as drizzleTransactions } from '@keelson/transactions/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import BetterSqlite3 from 'better-sqlite3'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate as betterSqlite3Migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzle as nodePostgresDrizzle } from 'drizzle-orm/node-postgres'
import { migrate as nodePostgresMigrate } from 'drizzle-orm/node-postgres/migrator'
import { Kysely, PostgresDialect, sql, SqliteDialect as KyselySqliteDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory, temporaryFile } from '../support/temporary-directory.ts'
import { count, drizzleFolder, kinds, sqliteKinds, type Target } from './migrating.ts'

function step(...statements: string[]): SafeMigration {
  return {
    checksum: statements.join(' ').replaceAll(/\W+/g, '_').slice(0, 200),
    async up(db) {
      for (const statement of statements) await sql.raw(statement).execute(db)
    },
  }
}

function sqliteKysely(path: string = temporaryFile()): Kysely<any> {
  const database = new BetterSqlite3(path)
  database.pragma('foreign_keys = on')
  const db = new Kysely<any>({ dialect: new KyselySqliteDialect({ database }) })
  onTestFinished(() => db.destroy())
  return db
}

async function postgresKysely(url?: string): Promise<Kysely<any>> {
  const connectionString = url ?? (await (await postgres()).createDatabase())
  const db = new Kysely<any>({
    dialect: new PostgresDialect({ pool: new Pool({ connectionString, max: 3 }) }),
  })
  onTestFinished(() => db.destroy())
  return db
}

function migrator(db: Kysely<any>, migrations: Record<string, SafeMigration>): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => migrations } })
}

async function names(db: Kysely<any>): Promise<string[]> {
  const rows = await db.selectFrom('kysely_migration').select('name').orderBy('timestamp').execute()
  return rows.map(({ name }) => name as string)
}

const create = [
  'CREATE TABLE `users` (`id` integer PRIMARY KEY NOT NULL, `name` text)',
  'CREATE TABLE `posts` (`id` integer PRIMARY KEY NOT NULL, `user_id` integer NOT NULL, FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON DELETE cascade)',
  "INSERT INTO `users` VALUES (1, 'Ada'), (2, 'Alan')",
  'INSERT INTO `posts` VALUES (1, 1), (2, 2)',
]

/** As drizzle-kit writes it when a column changes. */
const rebuild = [
  'PRAGMA foreign_keys=OFF',
  "CREATE TABLE `__new_users` (`id` integer PRIMARY KEY NOT NULL, `name` text DEFAULT 'nobody' NOT NULL)",
  'INSERT INTO `__new_users`("id", "name") SELECT "id", "name" FROM `users`',
  'DROP TABLE `users`',
  'ALTER TABLE `__new_users` RENAME TO `users`',
  'PRAGMA foreign_keys=ON',
]

async function foreignKeys(target: Target): Promise<unknown> {
  const [row] = await target.rows('pragma foreign_keys')
  return Object.values(row!)[0]
}

async function busyTimeout(target: Target): Promise<unknown> {
  const [row] = await target.rows('pragma busy_timeout')
  return Object.values(row!)[0]
}

test('M1: a migration that fails on SQLite leaves nothing, under a dialect that denies transactional DDL', async () => {
  const db = sqliteKysely()
  const failing = {
    a: step(
      'create table a (id integer)',
      'insert into a values (1)',
      'insert into nowhere values (1)',
    ),
  }
  await rejection(migrateSafely(db, { migrations: failing }))
  const mended = { a: step('create table a (id integer)', 'insert into a values (1)') }
  await migrateSafely(db, { migrations: mended })
  expect(await db.selectFrom('a').selectAll().execute()).toEqual([{ id: 1 }])
})

test('a connection on which foreign keys cannot be suspended is refused, and nothing is migrated', async () => {
  const database = new BetterSqlite3(temporaryFile())
  database.pragma('foreign_keys = on')
  const db = new Kysely<any>({ dialect: new KyselySqliteDialect({ database }) })
  onTestFinished(() => db.destroy())
  // SQLite ignores the pragma in a transaction, of which the ORM here knows nothing.
  database.exec('begin')
  const migrations = { '0001_a': step('create table a (id integer)') }
  const error = await rejection(migrateSafely(db, { migrations }))
  expect(error).toMatchObject({ code: 'SETTING_NOT_APPLIED', option: 'foreign_keys' })
  database.exec('rollback')
  expect(database.prepare('select count(*) from sqlite_schema').pluck().get()).toBe(0)
  expect((await migrateSafely(db, { migrations })).applied).toHaveLength(1)
})

test('a backup that is not sound is removed, and nothing is migrated', async () => {
  const db = sqliteKysely()
  await sql`create table damaged (n integer check (n > 0))`.execute(db)
  await sql`pragma ignore_check_constraints = on`.execute(db)
  await sql`insert into damaged values (-1)`.execute(db)
  await sql`pragma ignore_check_constraints = off`.execute(db)
  const backup = temporaryFile('unsound.db')
  const migrations = { '0001_a': step('create table a (id integer)') }
  const error = await rejection(migrateSafely(db, { migrations, backup }))
  expect(error).toMatchObject({ code: 'BACKUP' })
  expect(error.message).toContain('integrity_check says CHECK constraint failed')
  expect([existsSync(backup), await names(db)]).toEqual([false, []])
})

test('M2: of two that migrate one SQLite file a change of data is made once', async () => {
  const path = temporaryFile()
  const [one, other] = [sqliteKysely(path), sqliteKysely(path)]
  await sql`create table account (balance integer)`.execute(one)
  await sql`insert into account values (100)`.execute(one)
  const migrations: Record<string, SafeMigration> = {
    double: {
      async up(db) {
        await sleep(50)
        await sql`update account set balance = balance * 2`.execute(db)
      },
    },
  }
  const reports = await Promise.all([
    migrateSafely(one, { migrations }),
    migrateSafely(other, { migrations }),
  ])
  expect(reports.map(({ applied }) => applied.length).toSorted((x, y) => x - y)).toEqual([0, 1])
  expect(await one.selectFrom('account').selectAll().execute()).toEqual([{ balance: 200 }])
})

test('M3: one that was merged late, and one that was edited, are refused after Drizzle has migrated', async () => {
  const client = new BetterSqlite3(temporaryFile())
  onTestFinished(() => void client.close())
  const db = betterSqlite3Drizzle(client)
  const first = { name: '0001_first', up: ['create table first (id integer)'] }
  const third = { name: '0003_third', up: ['create table third (id integer)'] }
  const folder = drizzleFolder([first, third], 'sqlite')
  betterSqlite3Migrate(db, { migrationsFolder: folder })
  const adopted = await onDrizzle.migrateSafely(db, { migrations: folder })
  expect(adopted).toMatchObject({
    applied: [],
    skipped: ['0001_first', '0003_third'],
    adopted: ['0001_first', '0003_third'],
  })

  const second = { name: '0002_second', up: ['create table second (id integer)'] }
  drizzleFolder([first, second, third], 'sqlite', folder)
  expect(await rejection(onDrizzle.migrateSafely(db, { migrations: folder }))).toMatchObject({
    code: 'MIGRATION_OUT_OF_ORDER',
    migrations: ['0002_second'],
  })
  drizzleFolder([{ ...first, up: ['create table first (id text)'] }, third], 'sqlite', folder)
  const edited = await rejection(onDrizzle.migrateSafely(db, { migrations: folder }))
  expect(edited).toMatchObject({ code: 'MIGRATION_EDITED', migrations: ['0001_first'] })
  expect(edited.message).toContain(
    '- create table first (id integer)\n+ create table first (id text)',
  )
})

test('what Drizzle has applied is compared by the hash that it kept, though nobody has its text', async () => {
  const client = new BetterSqlite3(temporaryFile())
  onTestFinished(() => void client.close())
  const db = betterSqlite3Drizzle(client)
  const first = {
    name: '0001_first',
    up: ['create table first (id integer)', 'create table more (id integer)'],
  }
  const folder = drizzleFolder([first], 'sqlite')
  betterSqlite3Migrate(db, { migrationsFolder: folder })
  drizzleFolder([{ ...first, up: ['create table first (id text)'] }], 'sqlite', folder)
  const error = await rejection(onDrizzle.migrateSafely(db, { migrations: folder }))
  expect(error).toMatchObject({ code: 'MIGRATION_EDITED' })
  expect(error.message).toContain('The old text is not known.')
  // Git may change the ends of lines; that is no edit.
  writeFileSync(join(folder, '0001_first.sql'), first.up.join(';--> statement-breakpoint\r\n'))
  expect((await onDrizzle.migrateSafely(db, { migrations: folder })).skipped).toEqual([
    '0001_first',
  ])
})

describe.for(sqliteKinds)('$name', (kind) => {
  test('M4: a table that is rebuilt keeps the rows that refer to it, and foreign keys are enforced afterwards', async () => {
    const target = await kind.open()
    const before = await busyTimeout(target)
    await target.migrate([{ name: '0001_create', up: create }])
    await target.migrate([
      { name: '0001_create', up: create },
      { name: '0002_rebuild', up: kind.orm === 'drizzle' ? rebuild : rebuild.slice(1, 5) },
    ])
    expect([await count(target, 'users'), await count(target, 'posts')]).toEqual([2, 2])
    expect([await foreignKeys(target), await busyTimeout(target)]).toEqual([1, before])
    await expect(
      rejection(target.exec('insert into posts values (9, 99)')),
    ).resolves.toBeInstanceOf(Error)
  })

  test('rows that lost their parent are refused before the commit, and foreign keys are enforced again', async () => {
    const target = await kind.open()
    const before = await busyTimeout(target)
    const orphan = { name: '0002_orphan', up: ['delete from users where id = 1'] }
    await target.migrate([{ name: '0001_create', up: create }])
    const error = await rejection(target.migrate([{ name: '0001_create', up: create }, orphan]))
    expect(error).toMatchObject({ code: 'MIGRATION_FOREIGN_KEYS', migrations: ['0002_orphan'] })
    expect(error.message).toBe(
      'Migration "0002_orphan" leaves rows without a parent: 1 in "posts" (parent "users"). It was rolled back. ' +
        'Delete or correct these rows in the migration.',
    )
    expect(await count(target, 'users')).toBe(2)
    const failing = { name: '0002_orphan', up: ['insert into nowhere values (1)'] }
    await rejection(target.migrate([{ name: '0001_create', up: create }, failing]))
    expect([await foreignKeys(target), await busyTimeout(target)]).toEqual([1, before])
  })

  test('rows that a trigger takes from a table that is not named are refused before the commit, unless allowed', async () => {
    const target = await kind.open()
    const first = [
      { name: '0001_create', up: create },
      {
        name: '0002_trigger',
        up: [
          'create trigger gone after update on users begin delete from posts where user_id = old.id; end',
        ],
      },
    ]
    await target.migrate(first)
    const touch = { name: '0003_touch', up: ["update users set name = 'x' where id = 1"] }
    const error = await rejection(target.migrate([...first, touch]))
    expect(error).toMatchObject({ code: 'MIGRATION_DATA_LOSS', migrations: ['0003_touch'] })
    expect(error.message).toMatch(
      /^Migration "0003_touch" would have taken 1 rows of "posts", though its SQL does not name that table/,
    )
    expect(await count(target, 'posts')).toBe(2)
    await rejection(target.migrate([...first, touch], { allowDataLoss: ['users'] }))
    expect(
      (await target.migrate([...first, touch], { allowDataLoss: ['posts'] })).applied.length,
    ).toBe(1)
    expect(await count(target, 'posts')).toBe(1)
  })

  test('the rows of many tables are counted with few statements, and each of them is', async () => {
    const target = await kind.open()
    const tables = Array.from({ length: 130 }, (_, index) => `t${index}`)
    for (const table of tables) await target.exec(`create table ${table} (id integer)`)
    for (const table of tables) await target.exec(`insert into ${table} values (1)`)
    const taken = ['t0', 't63', 't64', 't129'].map((table) => `delete from ${table};`)
    await target.exec(`create trigger gone after delete on t1 begin ${taken.join(' ')} end`)
    const error = await rejection(target.migrate([{ name: '0001_delete', up: ['delete from t1'] }]))
    for (const table of ['t0', 't63', 't64', 't129'])
      expect(error.message).toContain(`1 rows of "${table}"`)
    expect(error.message).not.toContain('"t1"')
  })

  test('another connection that writes is waited for, without blocking, and not longer than asked', async () => {
    const target = await kind.open()
    await target.exec('create table t (id integer)')
    const before = await busyTimeout(target)
    const other = new BetterSqlite3(target.place)
    onTestFinished(() => void other.close())
    other.exec('begin immediate')
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    const events: string[] = []
    const start = performance.now()
    const error = await rejection(
      target.migrate([{ name: '0001_a', up: ['create table a (id integer)'] }], {
        lockTimeoutMs: 300,
        onProgress: ({ kind: event }) => events.push(event),
      }),
    )
    clearInterval(timer)
    expect(error).toMatchObject({ code: 'MIGRATION_LOCK_TIMEOUT', holder: undefined })
    expect(error.message).toBe(
      'Gave up after 300 ms (lockTimeoutMs) of waiting to migrate: somebody else has the lock, or is writing. ' +
        'Let that end first; where it takes that long, pass a longer `lockTimeoutMs`.',
    )
    expect(performance.now() - start).toBeLessThan(5_000)
    // Blocked until it gives up it would be none.
    expect(ticks).toBeGreaterThan(2)
    other.exec('commit')
    expect(await busyTimeout(target)).toBe(before)
    expect(
      (await target.migrate([{ name: '0001_a', up: ['create table a (id integer)'] }])).applied
        .length,
    ).toBe(1)
    expect(await foreignKeys(target)).toBe(1)
  })
})

describe.for(kinds.filter(({ engine }) => engine === 'postgresql'))(
  'locks and losses ($name)',
  (kind) => {
    test.for([
      ['a cascading delete', ['delete from users where id = 1'], '1 rows of "posts"'],
      ['a cascading truncate', ['truncate users cascade'], 'all rows of "posts"'],
    ] as const)(
      'rows that %s takes from a table that is not named are refused',
      async ([, up, what]) => {
        const target = await kind.open()
        const first = {
          name: '0001_create',
          up: [
            'create table users (id integer primary key)',
            'create table posts (id integer primary key, user_id integer references users on delete cascade)',
            'insert into users values (1), (2)',
            'insert into posts values (1, 1), (2, 2)',
          ],
        }
        await target.migrate([first])
        const error = await rejection(target.migrate([first, { name: '0002_loss', up }]))
        expect(error).toMatchObject({ code: 'MIGRATION_DATA_LOSS' })
        expect(error.message).toContain(what)
        expect(await count(target, 'posts')).toBe(2)
      },
    )

    test('it sees what others have committed, whatever the isolation that the database begins with', async () => {
      const target = await kind.open()
      const [row] = await target.rows('select current_database() as name')
      const stricter = `alter database "${row!['name']}" set default_transaction_isolation = 'serializable'`
      await target.exec(stricter)
      const other = await kind.open(target.place)
      const noted = {
        name: '0001_noted',
        up: [`create table noted as select current_setting('transaction_isolation') as level`],
      }
      await other.migrate([noted])
      expect(await other.rows('select level from noted')).toEqual([{ level: 'read committed' }])
    })

    test('rows that others delete meanwhile are not taken for a loss', async () => {
      const target = await kind.open()
      await target.exec('create table queue (id integer)')
      await target.exec('insert into queue select generate_series(1, 10)')
      const other = await kind.open(target.place)
      const slow = {
        name: '0001_slow',
        up: ['create table a (id integer)', 'select pg_sleep(0.5)'],
      }
      const running = target.migrate([slow])
      await other.exec('delete from queue where id < 5')
      expect((await running).applied.length).toBe(1)
      expect(await count(target, 'queue')).toBe(6)
    })

    test('the lock is waited for no longer than asked, and the error names who has it', async () => {
      const target = await kind.open()
      const other = await kind.open(target.place)
      const slow = {
        name: '0001_slow',
        up: ['create table a (id integer)', 'select pg_sleep(1.5)'],
      }
      const running = target.migrate([slow])
      while (
        Number(
          (
            await other.rows(
              "select count(*) as n from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'",
            )
          )[0]!['n'],
        ) === 0
      );
      const error = await rejection(other.migrate([slow], { lockTimeoutMs: 200 }))
      expect(error).toMatchObject({
        code: 'MIGRATION_LOCK_TIMEOUT',
        holder: expect.stringMatching(/^backend \d+/),
      })
      await running
      expect((await other.migrate([slow])).skipped).toEqual(['0001_slow'])
    })

    test('an index is created concurrently, without a transaction', async () => {
      const target = await kind.open()
      const first = { name: '0001_t', up: ['create table t (id integer)'] }
      const index = {
        name: '0002_index',
        up: ['create index concurrently i on t (id)'],
        transaction: false,
      } as const
      const report = await target.migrate([first, index])
      expect(report.applied.map(({ transaction: isOne }) => isOne)).toEqual([true, false])
      const locks = await target.rows(
        "select count(*) as n from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
      )
      expect(Number(locks[0]!['n'])).toBe(0)
    })
  },
)

describe("Kysely's Migrator", () => {
  const a = step('create table a (id integer)')
  const b = step('create table b (id integer)')
  const c = step('create table c (id integer)')

  test.for(['SQLite', 'PostgreSQL'])(
    'goes on from here, and we from there (%s)',
    async (engine) => {
      const db = engine === 'SQLite' ? sqliteKysely() : await postgresKysely()
      expect((await migrator(db, { a }).migrateToLatest()).error).toBeUndefined()
      const report = await migrateSafely(db, { migrations: { a, b } })
      expect(report).toMatchObject({ applied: [{ name: 'b' }], skipped: ['a'], adopted: ['a'] })
      expect((await migrateSafely(db, { migrations: { a, b } })).adopted).toEqual([])
      const theirs = await migrator(db, { a, b, c }).migrateToLatest()
      expect([theirs.error, theirs.results?.map(({ migrationName }) => migrationName)]).toEqual([
        undefined,
        ['c'],
      ])
      expect((await migrateSafely(db, { migrations: { a, b, c } })).applied).toEqual([])
      expect(await names(db)).toEqual(['a', 'b', 'c'])
    },
  )

  test('is kept out on PostgreSQL while we migrate, as we are while it does', async () => {
    const url = await (await postgres()).createDatabase()
    const [one, other] = [await postgresKysely(url), await postgresKysely(url)]
    await sql`create table account (balance integer)`.execute(one)
    await sql`insert into account values (100)`.execute(one)
    const migrations: Record<string, SafeMigration> = {
      double: {
        async up(db) {
          await sleep(100)
          await sql`update account set balance = balance * 2`.execute(db)
        },
      },
    }
    const [ours, theirs] = await Promise.all([
      migrateSafely(one, { migrations }),
      migrator(other, migrations).migrateToLatest(),
    ])
    expect(theirs.error).toBeUndefined()
    expect(ours.applied.length + (theirs.results?.length ?? 0)).toBe(1)
    expect(await one.selectFrom('account').selectAll().execute()).toEqual([{ balance: 200 }])
  })
})

describe("Drizzle's migrate()", () => {
  const one = { name: '0001_one', up: ['create table one (id integer)'] }
  const two = { name: '0002_two', up: ['create table two (id integer)'] }
  const three = { name: '0003_three', up: ['create table three (id integer)'] }

  test('goes on from here, and we from there (PostgreSQL)', async () => {
    const pool = new Pool({ connectionString: await (await postgres()).createDatabase(), max: 3 })
    onTestFinished(() => pool.end())
    const db = nodePostgresDrizzle(pool)
    const folder = drizzleFolder([one], 'postgresql')
    await nodePostgresMigrate(db, { migrationsFolder: folder })
    drizzleFolder([one, two], 'postgresql', folder)
    expect(await onDrizzle.migrateSafely(db, { migrations: folder })).toMatchObject({
      applied: [{ name: '0002_two' }],
      adopted: ['0001_one'],
    })
    drizzleFolder([one, two, three], 'postgresql', folder)
    await nodePostgresMigrate(db, { migrationsFolder: folder })
    expect((await onDrizzle.migrateSafely(db, { migrations: folder })).skipped).toEqual([
      '0001_one',
      '0002_two',
      '0003_three',
    ])
    const { rows } = await db.execute(
      drizzleSql`select id from drizzle.__drizzle_migrations order by id`,
    )
    expect(rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
  })

  test('goes on from here, and we from there (DuckDB)', async () => {
    const db = duckdbDrizzle(temporaryFile())
    onTestFinished(async () => void (await db.$client.close()))
    const folder = drizzleFolder([one], 'postgresql')
    await duckdbMigrate(db, { migrationsFolder: folder })
    drizzleFolder([one, two], 'postgresql', folder)
    expect((await onDrizzle.migrateSafely(db, { migrations: folder })).applied.length).toBe(1)
    drizzleFolder([one, two, three], 'postgresql', folder)
    await duckdbMigrate(db, { migrationsFolder: folder })
    expect((await onDrizzle.migrateSafely(db, { migrations: folder })).applied).toEqual([])
  })

  test('is told of a folder for another engine, of a journal without its file, and of two with one time', async () => {
    const db = sqliteDrizzle(temporaryFile())
    onTestFinished(async () => void (await db.$client.close()))
    const other = drizzleFolder([one], 'postgresql')
    expect((await rejection(onDrizzle.migrateSafely(db, { migrations: other }))).message).toContain(
      'are for postgresql, and the database is sqlite',
    )
    const twice = drizzleFolder([one, { ...two, name: '0001_again' }], 'sqlite')
    expect((await rejection(onDrizzle.migrateSafely(db, { migrations: twice }))).message).toContain(
      'the same `when`',
    )
    const journal = { dialect: 'sqlite', entries: [{ tag: '0001_gone', when: 1 }] }
    const folder = temporaryDirectory()
    mkdirSync(join(folder, 'meta'))
    writeFileSync(join(folder, 'meta', '_journal.json'), JSON.stringify(journal))
    expect(await rejection(onDrizzle.migrateSafely(db, { migrations: folder }))).toMatchObject({
      code: 'MIGRATION_SOURCE',
      migrations: ['0001_gone'],
    })
    const none = await rejection(onDrizzle.migrateSafely(db, { migrations: temporaryDirectory() }))
    expect(none.message).toMatch(
      /^Cannot read the journal .* Run `drizzle-kit generate`, or pass the folder that it writes to: a relative one is taken from the directory in which the process was started\. Nothing was migrated\.$/,
    )
    const folderOfOne = drizzleFolder([one], 'sqlite')
    await onDrizzle.migrateSafely(db, { migrations: folderOfOne })
    const undo = await rejection(
      onDrizzle.migrateSafely(db, { migrations: folderOfOne, down: 'last' }),
    )
    expect(undo).toMatchObject({ code: 'MIGRATION_NO_DOWN', migrations: ['0001_one'] })
  })
})

describe('a folder of modules', () => {
  function folderOf(files: Record<string, string>): string {
    const folder = temporaryDirectory()
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return folder
  }
  const module = (statement: string): string =>
    `export async function up(db: any): Promise<void> { await db.schema.createTable('${statement}').addColumn('id', 'integer').execute() }\n`

  test('runs in the order of the names, and its checksum is that of the file', async () => {
    const db = sqliteKysely()
    const folder = folderOf({
      '0002_b.ts': module('b'),
      '0001_a.mts': module('a'),
      'readme.md': 'no',
      '0001_a.d.mts': 'no',
    })
    const report = await migrateSafely(db, { migrations: folder })
    expect(report.applied.map(({ name }) => name)).toEqual(['0001_a', '0002_b'])
    writeFileSync(join(folder, '0002_b.ts'), `${module('b')}// changed\n`)
    const error = await rejection(migrateSafely(db, { migrations: folder }))
    expect(error.message).toContain('\n+ // changed\n')
  })

  test('says which file is wrong', async () => {
    const db = sqliteKysely()
    const twice = await rejection(
      migrateSafely(db, { migrations: folderOf({ 'a.ts': module('a'), 'a.js': '' }) }),
    )
    expect(twice.message).toContain('has "a" twice')
    const empty = await rejection(
      migrateSafely(db, { migrations: folderOf({ 'a.ts': 'export const x = 1' }) }),
    )
    expect(empty).toMatchObject({ code: 'MIGRATION_SOURCE', migrations: ['a'] })
    expect(empty.message).toContain('has no function `up`')
    const missing = await rejection(
      migrateSafely(db, { migrations: join(temporaryDirectory(), 'nowhere') }),
    )
    expect(missing.message).toMatch(/^Cannot read the folder of migrations /)
  })
})

test('migrations in memory are compared by the source of their functions, where they show it', async () => {
  const db = sqliteKysely()
  const up = async (on: Kysely<any>): Promise<void> => {
    await sql`create table a (id integer)`.execute(on)
  }
  await migrateSafely(db, { migrations: { a: { up } } })
  const other = async (on: Kysely<any>): Promise<void> => {
    await sql`create table b (id integer)`.execute(on)
  }
  expect(await rejection(migrateSafely(db, { migrations: { a: { up: other } } }))).toMatchObject({
    code: 'MIGRATION_EDITED',
  })
  await repairMigration(db, { migrations: { a: { up: other } }, name: 'a', as: 'edited' })
  // A bound function shows none, and cannot be told from any other.
  expect(
    (await migrateSafely(db, { migrations: { a: { up: up.bind(undefined) } } })).skipped,
  ).toEqual(['a'])
})

test('a folder that is not there is refused, with what to do', async () => {
  const folder = join(temporaryDirectory(), 'gone')
  const error = await rejection(migrateSafely(sqliteKysely(), { migrations: folder }))
  expect(error).toMatchObject({ code: 'MIGRATION_SOURCE', migrations: [] })
  expect(error.message).toMatch(
    /^Cannot read the folder of migrations .*gone: ENOENT.* Create it, or pass the folder that has them: a relative one is taken from the directory in which the process was started\. Nothing was migrated\.$/,
  )
})

test('options that a migration or a repair does not read are refused', async () => {
  const db = sqliteKysely()
  const migrations = { a: { up: async () => {} } }
  for (const lockTimeoutMs of ['50' as never, NaN, -1, 2 ** 31])
    expect(await rejection(migrateSafely(db, { migrations, lockTimeoutMs }))).toMatchObject({
      code: 'INVALID_OPTION',
      option: 'lockTimeoutMs',
    })
  const repair = { migrations, name: 'a', as: 'done' } as const
  for (const option of ['dryRun', 'backup', 'down'])
    expect(await rejection(repairMigration(db, { ...repair, [option]: true }))).toMatchObject({
      code: 'UNKNOWN_OPTION',
      option,
    })
  expect((await migrateSafely(db, { migrations, dryRun: true })).plan).toHaveLength(1)
})

test('it is refused inside a transaction', async () => {
  const db = sqliteKysely()
  const error = await db
    .transaction()
    .execute((trx) => rejection(migrateSafely(trx, { migrations: {} })))
  expect(error.message).toBe(
    'migrateSafely() was called in an open transaction. Each migration has one of its own: call it outside, with the database itself.',
  )
  const wrapped = drizzleTransactions(sqliteDrizzle(temporaryFile()))
  onTestFinished(async () => void (await wrapped.$client.close()))
  const inside = await transaction(wrapped, () =>
    rejection(onDrizzle.migrateSafely(wrapped, { migrations: 'x' })),
  )
  expect(inside).toBeInstanceOf(Error)
})

test('who waits in the same process is told by whom the database is migrated', async () => {
  const db = sqliteKysely()
  const running = migrateSafely(db, {
    migrations: {
      slow: {
        async up(on) {
          await sql`create table slow (id integer)`.execute(on)
          await sleep(400)
        },
      },
    },
  })
  await sleep(100)
  const error = await rejection(migrateSafely(db, { migrations: {}, lockTimeoutMs: 50 }))
  expect(error.message).toMatch(
    /the lock is held by a migration, open for \d+ ms, begun at .*, last statement: `create table slow \(id integer\)`\./,
  )
  await running
})

test('the wrappers of Keelson change nothing about it', async () => {
  const dialect = withTiming(
    withTransactions(new SqliteDialect({ path: temporaryFile() })),
    createTiming(),
  )
  const db = new Kysely<any>({ dialect })
  onTestFinished(() => db.destroy())
  const migrations = { a: step(...create), b: step(...rebuild.slice(1, 5)) }
  const report = await migrateSafely(db, { migrations })
  expect(report.applied.length).toBe(2)
  expect(await db.selectFrom('posts').selectAll().execute()).toHaveLength(2)
  const plan = await migrateSafely(db, {
    migrations: { ...migrations, c: step('create table c (id integer)') },
    dryRun: true,
  })
  expect(plan.plan).toEqual([
    { name: 'c', transaction: true, statements: ['create table c (id integer)'] },
  ])
})

test('a listener that throws changes nothing', async () => {
  const db = sqliteKysely()
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  const report = await migrateSafely(db, {
    migrations: { a: step('create table a (id integer)') },
    onProgress() {
      throw new Error('the listener')
    },
  })
  expect(report.applied.length).toBe(1)
  expect((await warned).message).toBe('the listener')
})

test('what each migration sends to look for lost rows does not grow with every table', async () => {
  let counting = 0
  const db = new Kysely<any>({
    dialect: new KyselySqliteDialect({ database: new BetterSqlite3(':memory:') }),
    log: ({ query }) => {
      if (query.sql.includes('count(*) from main.')) counting++
    },
  })
  onTestFinished(() => db.destroy())
  for (let index = 0; index < 130; index++)
    await sql.raw(`create table t${index} (id integer)`).execute(db)
  await migrateSafely(db, { migrations: { '0001_a': step('insert into t0 values (1)') } })
  // Before and after, of 64 tables at once.
  expect(counting).toBe(6)
})
