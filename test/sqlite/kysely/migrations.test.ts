import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { openSqlite } from '@keelson/sqlite'
import Database from 'better-sqlite3'
import { sql, type Kysely } from 'kysely'
import { Migrator, type Migration, type MigrationResultSet } from 'kysely/migration'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  createTables,
  kysely,
  kyselyWithTables,
  names,
  recorder,
  rejection,
  temporaryFile,
} from './fixture.ts'
import { slowMigrator } from './slow-migrator.ts'

function migrator(db: Kysely<any>, ...migrations: Migration['up'][]): Migrator {
  const entries = migrations.map((up, index) => [`${index + 1}`, { up }] as const)
  return new Migrator({ db, provider: { getMigrations: async () => Object.fromEntries(entries) } })
}

/** The way to change a column in SQLite. https://www.sqlite.org/lang_altertable.html#otheralter */
async function rebuildPerson(db: Kysely<any>): Promise<void> {
  await sql`create table new_person (id integer primary key, name text not null unique, age integer default 18)`.execute(
    db,
  )
  await sql`insert into new_person select * from person`.execute(db)
  await sql`drop table person`.execute(db)
  await sql`alter table new_person rename to person`.execute(db)
}

async function addFamily(db: Kysely<any>): Promise<void> {
  await sql`insert into person (id, name) values (1, 'Ada'), (2, 'Alan')`.execute(db)
  await sql`insert into pet (name, owner_id) values ('Cat', 1), ('Dog', 2)`.execute(db)
}

async function count(db: Kysely<any>, table: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(
    db,
  )
  return rows[0]!.n
}

async function tables(db: Kysely<any>): Promise<string[]> {
  return (await db.introspection.getTables()).map(({ name }) => name)
}

async function foreignKeysEnforced(db: Kysely<any>): Promise<boolean> {
  const { rows } = await sql<{
    foreign_keys: number
  }>`select foreign_keys from pragma_foreign_keys`.execute(db)
  return rows[0]?.foreign_keys === 1
}

function succeeded({ error, results }: MigrationResultSet): void {
  expect(error).toBeUndefined()
  expect(results?.map(({ status }) => status)).not.toContain('Error')
}

describe.each(['a file', 'in memory', 'a handed-in database'])('%s', (kind) => {
  async function open(): Promise<Kysely<any>> {
    if (kind === 'a file') return kyselyWithTables({ path: temporaryFile() })
    if (kind === 'in memory') return kyselyWithTables({ path: ':memory:' })
    const database = new Database(temporaryFile())
    database.pragma('foreign_keys = on')
    onTestFinished(() => void database.close())
    return kyselyWithTables({ database })
  }

  test.each([false, true])(
    'a rebuilt table keeps the rows that refer to it (disableTransactions: %s)',
    async (disableTransactions) => {
      const db = await open()
      await addFamily(db)
      succeeded(await migrator(db, rebuildPerson).migrateToLatest({ disableTransactions }))
      expect([await count(db, 'person'), await count(db, 'pet')]).toEqual([2, 2])
      expect(await foreignKeysEnforced(db)).toBe(true)
      await expect(
        sql`insert into pet (name, owner_id) values ('Bird', 9)`.execute(db),
      ).rejects.toMatchObject({
        code: 'SQLITE_CONSTRAINT_FOREIGNKEY',
      })
    },
  )

  test('a migration that leaves rows without a parent is refused, rolled back, and names the table', async () => {
    const db = await open()
    await addFamily(db)
    const { error } = await migrator(db, rebuildPerson, async (trx) => {
      await sql`delete from person where id = 1`.execute(trx)
    }).migrateToLatest()
    expect(error).toMatchObject({ code: 'MIGRATION_FOREIGN_KEYS' })
    expect((error as Error).message).toMatch(/1 in "pet" \(parent "person"\)/)
    expect([
      await count(db, 'person'),
      await count(db, 'pet'),
      await count(db, 'kysely_migration'),
    ]).toEqual([2, 2, 0])
    expect(await foreignKeysEnforced(db)).toBe(true)
  })

  test('a failing migration leaves nothing of itself or of those before it', async () => {
    const db = await open()
    const { error, results } = await migrator(
      db,
      async (trx) => {
        await sql`create table a (id integer)`.execute(trx)
      },
      async (trx) => {
        await sql`create table b (id integer)`.execute(trx)
        await sql`insert into missing values (1)`.execute(trx)
      },
    ).migrateToLatest()
    expect((error as Error).message).toBe('no such table: missing')
    expect(results?.map(({ status }) => status)).toEqual(['Success', 'Error'])
    expect(await tables(db)).toEqual(['person', 'pet'])
    expect(await count(db, 'kysely_migration')).toBe(0)
    expect(await foreignKeysEnforced(db)).toBe(true)
    succeeded(await migrator(db, rebuildPerson).migrateToLatest())
  })
})

test('without transactions, rows that a migration leaves without a parent are reported', async () => {
  const db = await kyselyWithTables()
  await addFamily(db)
  const { error } = await migrator(db, async (connection) => {
    await sql`delete from person where id = 1`.execute(connection)
  }).migrateToLatest({ disableTransactions: true })
  expect(error).toMatchObject({ code: 'MIGRATION_FOREIGN_KEYS' })
  expect(await foreignKeysEnforced(db)).toBe(true)
})

test('rows that had no parent before do not stop a migration', async () => {
  const path = temporaryFile()
  const db = await kyselyWithTables({ path })
  const other = new Database(path)
  other.pragma('foreign_keys = off')
  other.exec("insert into pet (name, owner_id) values ('Stray', 99)")
  other.close()
  succeeded(await migrator(db, rebuildPerson).migrateToLatest())
  expect(await count(db, 'pet')).toBe(1)
})

test('on db.connection(), enforcement is back and others may write as soon as the migrations are done', async () => {
  const db = await kyselyWithTables({ path: temporaryFile(), busyTimeoutMs: 100 })
  await db.connection().execute(async (connection) => {
    succeeded(await migrator(connection, rebuildPerson).migrateToLatest())
    expect(await foreignKeysEnforced(connection)).toBe(true)
    await db.insertInto('person').values({ name: 'Ada' }).execute()
  })
})

test('migrates up and down, one step at a time', async () => {
  const db = kysely()
  const steps = new Migrator({
    db,
    provider: {
      getMigrations: async () => ({
        a: {
          up: (trx) => trx.schema.createTable('a').addColumn('id', 'integer').execute(),
          down: (trx) => trx.schema.dropTable('a').execute(),
        },
        b: {
          up: (trx) => trx.schema.createTable('b').addColumn('id', 'integer').execute(),
          down: (trx) => trx.schema.dropTable('b').execute(),
        },
      }),
    },
  })
  succeeded(await steps.migrateUp())
  expect(await tables(db)).toEqual(['a'])
  succeeded(await steps.migrateUp())
  expect(await tables(db)).toEqual(['a', 'b'])
  succeeded(await steps.migrateDown())
  expect(await tables(db)).toEqual(['a'])
})

test('begins immediate even where transactions begin deferred, so that nobody else reads the same state', async () => {
  const { log, lines } = recorder()
  const db = kysely({ path: temporaryFile(), behavior: 'deferred' }, { log })
  await migrator(db, createTables).migrateToLatest()
  expect(lines).toContain('begin immediate')
  await db.transaction().execute((trx) => names(trx))
  expect(lines).toContain('begin deferred')
})

test('others write only after the migrations', async () => {
  const db = await kyselyWithTables()
  let inMigration = (): void => {}
  const started = new Promise<void>((resolve) => (inMigration = resolve))
  const migrating = migrator(db, async (trx) => {
    inMigration()
    await new Promise((resolve) => setTimeout(resolve, 50))
    await sql`insert into person (name) values ('by the migration')`.execute(trx)
  }).migrateToLatest()
  await started
  await db.insertInto('person').values({ name: 'by another' }).execute()
  succeeded(await migrating)
  expect(await names(db)).toEqual(['by the migration', 'by another'])
})

describe('a Migrator on a transaction', () => {
  const inTransaction = (db: Kysely<any>): Promise<MigrationResultSet> =>
    db.transaction().execute((trx) => migrator(trx, rebuildPerson).migrateToLatest())

  test('is refused while foreign keys are enforced, and told what to do instead', async () => {
    const db = await kyselyWithTables()
    await addFamily(db)
    const { error } = await inTransaction(db)
    expect(error).toMatchObject({ code: 'TRANSACTION_OPEN' })
    expect((error as Error).message).toMatch(
      /Migrator was given a transaction.*Give the Migrator the Kysely instance/,
    )
    expect(await count(db, 'pet')).toBe(2)
    succeeded(await migrator(db, rebuildPerson).migrateToLatest())
  })

  test('runs where they are not enforced', async () => {
    const db = await kyselyWithTables({ path: temporaryFile(), foreignKeys: false })
    await addFamily(db)
    succeeded(await inTransaction(db))
    expect([await count(db, 'person'), await count(db, 'pet')]).toEqual([2, 2])
  })
})

test('a lock taken in the transaction just begun, as Kysely before 0.29.3 does, works like the other', async () => {
  const { log, lines } = recorder()
  const db = await kyselyWithTables({ path: temporaryFile() }, { log })
  await addFamily(db)
  const { adapter } = db.getExecutor()
  const lock = { lockTable: 'kysely_migration_lock', lockRowId: 'migration_lock' }
  const migrate = (change: (trx: Kysely<any>) => Promise<void>) =>
    db.transaction().execute(async (trx) => {
      try {
        await adapter.acquireMigrationLock(trx, lock)
        await change(trx)
      } finally {
        await adapter.releaseMigrationLock(trx, lock)
      }
    })
  lines.length = 0
  await migrate(rebuildPerson)
  expect(lines.slice(0, 3)).toEqual(['begin immediate', 'rollback', 'begin immediate'])
  expect([await count(db, 'person'), await count(db, 'pet')]).toEqual([2, 2])
  expect(await foreignKeysEnforced(db)).toBe(true)

  const error = await rejection(
    migrate(async (trx) => void (await sql`delete from person where id = 1`.execute(trx))),
  )
  expect(error.code).toBe('MIGRATION_FOREIGN_KEYS')
  expect(await count(db, 'person')).toBe(2)
  expect(await foreignKeysEnforced(db)).toBe(true)
  await db.insertInto('person').values({ name: 'Grace' }).execute()
})

test('a lock that was never taken is released without an error', async () => {
  const db = await kyselyWithTables()
  const lock = { lockTable: 'kysely_migration_lock', lockRowId: 'migration_lock' }
  await db
    .connection()
    .execute((connection) => db.getExecutor().adapter.releaseMigrationLock(connection, lock))
  await db.insertInto('person').values({ name: 'Ada' }).execute()
  expect(await names(db)).toEqual(['Ada'])
})

describe.each(['with transactions', 'without transactions'] as const)(
  'several migrators at once, %s',
  (mode) => {
    const options = { disableTransactions: mode === 'without transactions' }

    async function expectRunOnce(db: Kysely<any>, resultSets: MigrationResultSet[]): Promise<void> {
      expect(resultSets.map(({ error }) => error)).toEqual(resultSets.map(() => undefined))
      const ran = resultSets
        .flatMap(({ results }) => results ?? [])
        .map(({ migrationName }) => migrationName)
      expect(ran.toSorted()).toEqual(['1-create', '2-add'])
      expect((await sql`select balance from account`.execute(db)).rows).toEqual([{ balance: 11 }])
    }

    test('two Kysely instances on one database run each migration once', async () => {
      const database = openSqlite(temporaryFile())
      onTestFinished(() => void database.close())
      const [first, second] = [kysely({ database }), kysely({ database })]
      await expectRunOnce(
        first,
        await Promise.all([first, second].map((db) => slowMigrator(db, options).migrateToLatest())),
      )
    })

    test('two Kysely instances on one file run each migration once', async () => {
      const path = temporaryFile()
      const [first, second] = [kysely({ path }), kysely({ path })]
      await expectRunOnce(
        first,
        await Promise.all([first, second].map((db) => slowMigrator(db, options).migrateToLatest())),
      )
    })

    test('two processes run each migration once', async () => {
      const path = temporaryFile()
      const script = fileURLToPath(new URL('migrate-process.ts', import.meta.url))
      const children = [1, 2].map(() =>
        spawn(process.execPath, [script, path, mode], { stdio: ['pipe', 'pipe', 'inherit'] }),
      )
      onTestFinished(() => children.forEach((child) => child.kill()))
      await Promise.all(children.map((child) => once(child.stdout, 'data')))
      for (const child of children) child.stdin.write('go\n')
      const answers = await Promise.all(children.map((child) => text(child.stdout)))
      await expectRunOnce(
        kysely({ path }),
        answers.map((answer) => JSON.parse(answer)),
      )
    })
  },
)
