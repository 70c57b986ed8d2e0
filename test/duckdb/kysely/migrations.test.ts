import { join, dirname } from 'node:path'
import { linkSync, symlinkSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { DuckDBDialect, MigrationLockTimeoutError } from '@keelson/duckdb/kysely'
import { Kysely, sql, type DatabaseConnection } from 'kysely'
import { Migrator, type Migration, type MigrationResultSet } from 'kysely/migration'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { open, signal } from '../fixture.ts'
import { createTables, file, kysely, kyselyWithTables, names, recorder } from './fixture.ts'
import { slowMigrator } from './slow-migrator.ts'

function migrator(db: Kysely<any>, ...migrations: Migration['up'][]): Migrator {
  const entries = migrations.map((up, index) => [`${index + 1}`, { up }] as const)
  return new Migrator({ db, provider: { getMigrations: async () => Object.fromEntries(entries) } })
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

function succeeded({ error, results }: MigrationResultSet): void {
  expect(error).toBeUndefined()
  expect(results?.map(({ status }) => status)).not.toContain('Error')
}

const lock = { lockTable: 'kysely_migration_lock', lockRowId: 'migration_lock' }

test('migrates up and down, one step at a time', async () => {
  const db = kysely()
  const step = (name: string): Migration => ({
    up: (trx) => trx.schema.createTable(name).addColumn('id', 'integer').execute(),
    down: (trx) => trx.schema.dropTable(name).execute(),
  })
  const steps = new Migrator({
    db,
    provider: { getMigrations: async () => ({ a: step('a'), b: step('b') }) },
  })
  succeeded(await steps.migrateUp())
  expect(await tables(db)).toEqual(['a'])
  succeeded(await steps.migrateUp())
  expect(await tables(db)).toEqual(['a', 'b'])
  succeeded(await steps.migrateDown())
  expect(await tables(db)).toEqual(['a'])
  expect((await steps.getMigrations()).map(({ executedAt }) => executedAt)).toEqual([
    expect.any(Date),
    undefined,
  ])
})

test('a failing migration leaves nothing of itself or of those before it', async () => {
  const db = await kyselyWithTables()
  const create = async (trx: Kysely<any>) =>
    void (await sql`create table a (id integer)`.execute(trx))
  const broken = migrator(db, create, async (trx) => {
    await sql`create table b (id integer)`.execute(trx)
    await sql`insert into person (name) values ('Ada')`.execute(trx)
    await sql`insert into missing values (1)`.execute(trx)
  })
  const { error, results } = await broken.migrateToLatest()
  expect((error as Error).message).toMatch('Table with name missing does not exist')
  expect(results?.map(({ status }) => status)).toEqual(['Success', 'Error'])
  expect(await tables(db)).toEqual(['person', 'pet'])
  expect([await count(db, 'kysely_migration'), await count(db, 'person')]).toEqual([0, 0])
  succeeded(await migrator(db, create).migrateToLatest())
  expect(await tables(db)).toEqual(['a', 'person', 'pet'])
})

test('without transactions, what ran before the failure stays, and is not run again', async () => {
  const db = await kyselyWithTables()
  const create = async (on: Kysely<any>) =>
    void (await sql`create table a (id integer)`.execute(on))
  const failing = async (on: Kysely<any>) => void (await sql`selct 1`.execute(on))
  const options = { disableTransactions: true }
  expect((await migrator(db, create, failing).migrateToLatest(options)).error).toBeDefined()
  expect(await tables(db)).toEqual(['a', 'person', 'pet'])
  succeeded(await migrator(db, create, async () => {}).migrateToLatest(options))
})

test('keeps its tables in another schema where it is told so', async () => {
  const db = kysely()
  const run = () => slowMigrator(db, { migrationTableSchema: 'admin' }).migrateToLatest()
  const sets = await Promise.all([run(), run()])
  for (const set of sets) succeeded(set)
  const all = await db.introspection.getTables({ withInternalKyselyTables: true })
  expect(all.map(({ schema, name }) => `${schema}.${name}`)).toEqual([
    'admin.kysely_migration',
    'admin.kysely_migration_lock',
    'main.account',
  ])
})

test('a Migrator on a transaction runs in it', async () => {
  const db = await kyselyWithTables()
  succeeded(
    await db
      .transaction()
      .execute((trx) =>
        migrator(trx, async (on) => void (await sql`drop table pet`.execute(on))).migrateToLatest(),
      ),
  )
  expect(await tables(db)).toEqual(['person'])
  const mine = new Error('mine')
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      succeeded(await migrator(trx, async () => {}, createLate).migrateToLatest())
      throw mine
    }),
  )
  expect(error).toBe(mine)
  expect(await count(db, 'kysely_migration')).toBe(1)
  expect(await tables(db)).toEqual(['person'])
})

const createLate = (on: Kysely<any>) =>
  on.schema.createTable('late').addColumn('id', 'integer').execute()

test('others read and write during a migration', async () => {
  const db = await kyselyWithTables()
  const [started, end] = [signal(), signal()]
  const migrating = migrator(db, async (trx) => {
    await sql`insert into person (name) values ('by the migration')`.execute(trx)
    started.go()
    await end.wait
  }).migrateToLatest()
  await started.wait
  await db.insertInto('person').values({ name: 'by another' }).execute()
  expect(await names(db)).toEqual(['by another'])
  end.go()
  succeeded(await migrating)
  expect(await names(db)).toEqual(['by the migration', 'by another'])
})

describe.each(['with transactions', 'without transactions'] as const)(
  'several migrators at once, %s',
  (mode) => {
    const options = { disableTransactions: mode === 'without transactions' }

    async function expectRunOnce(dbs: readonly Kysely<any>[]): Promise<void> {
      const sets = await Promise.all(dbs.map((db) => slowMigrator(db, options).migrateToLatest()))
      expect(sets.map(({ error }) => error)).toEqual(sets.map(() => undefined))
      const ran = sets
        .flatMap(({ results }) => results ?? [])
        .map(({ migrationName }) => migrationName)
      expect(ran.toSorted()).toEqual(['1-create', '2-add'])
      expect((await sql`select balance from account`.execute(dbs[0]!)).rows).toEqual([
        { balance: 11 },
      ])
    }

    test('ten on one Kysely instance run each migration once', async () => {
      const db = kysely()
      await expectRunOnce(Array.from({ length: 10 }, () => db))
    })

    test('two on a pool of one connection run each migration once', async () => {
      const db = kysely({ path: file(), pool: { max: 1 } })
      await expectRunOnce([db, db])
    })

    test('two Kysely instances on one database run each migration once', async () => {
      const database = await open()
      await expectRunOnce([kysely({ database }), kysely({ database })])
    })

    test('two Kysely instances on one file run each migration once', async () => {
      const path = file()
      const link = join(dirname(path), 'link.duckdb')
      symlinkSync(path, link)
      await expectRunOnce([kysely({ path }), kysely({ path: link })])
    })

    test('two Kysely instances on two hard links of a file run each migration once', async () => {
      const path = file()
      const link = join(dirname(path), 'link.duckdb')
      const first = kysely({ path })
      await sql`select 1`.execute(first)
      linkSync(path, link)
      await expectRunOnce([first, kysely({ path: link })])
    })

    test('two databases around one instance run each migration once', async () => {
      for (const path of [':memory:', file()]) {
        const instance = await DuckDBInstance.create(path)
        onTestFinished(() => instance.closeSync())
        const database = await open({ instance })
        await expectRunOnce([kysely({ instance }), kysely({ database })])
      }
    })

    test('a database and an instance of the same file run each migration once', async () => {
      const path = file()
      const link = join(dirname(path), 'link.duckdb')
      symlinkSync(path, link)
      const database = await open({ path })
      await database.execute('select 1')
      // The settings of openDuckDB(): with others the client's cache refuses.
      const instance = await DuckDBInstance.fromCache(link, {
        access_mode: 'AUTOMATIC',
        autoinstall_known_extensions: 'false',
        autoload_known_extensions: 'false',
      })
      onTestFinished(() => instance.closeSync())
      await expectRunOnce([kysely({ database }), kysely({ instance })])
    })

    test('two databases in memory do not wait for each other', async () => {
      const [first, second] = [kysely({ path: ':memory:' }), kysely({ path: ':memory:' })]
      await expectRunOnce([first])
      const [started, end] = [signal(), signal()]
      const holding = migrator(second, async () => {
        started.go()
        await end.wait
      }).migrateToLatest(options)
      await started.wait
      succeeded(await slowMigrator(first, options).migrateToLatest())
      end.go()
      succeeded(await holding)
    })
  },
)

test('a migrator that waits too long fails, naming who migrates, and runs nothing', async () => {
  const database = await open()
  const holder = kysely({ database })
  const waiter = kysely({ database, migrationLockTimeoutMs: 50 })
  const [started, end] = [signal(), signal()]
  const hold = async (): Promise<MigrationResultSet> => {
    const slow = migrator(holder, async (trx) => {
      await sql`create table held (id integer)`.execute(trx)
      started.go()
      await end.wait
    })
    return await slow.migrateToLatest()
  }
  const holding = hold()
  await started.wait
  let ran = false
  const { error } = await migrator(waiter, async () => {
    ran = true
  }).migrateToLatest()
  expect(error).toBeInstanceOf(MigrationLockTimeoutError)
  expect(error).toMatchObject({ code: 'MIGRATION_LOCK_TIMEOUT' })
  expect((error as Error).message).toMatch(
    /Gave up after 50 ms \(migrationLockTimeoutMs\) of waiting to migrate .*test\.duckdb: it is being migrated by a migration, open for \d+ ms, begun at .*migrations\.test\.ts:\d+:\d+, last statement: `create table held \(id integer\)`\. Let that end first/,
  )
  expect(ran).toBe(false)
  end.go()
  succeeded(await holding)
  succeeded(await migrator(waiter, async () => {}).migrateToLatest())
})

test('whoever waits is served in the order of coming, also when one before it has given up', async () => {
  const database = await open()
  const [patient, hasty] = [kysely({ database }), kysely({ database, migrationLockTimeoutMs: 20 })]
  const order: string[] = []
  const take = (db: Kysely<any>, name: string, then: () => Promise<unknown> = async () => {}) =>
    db.connection().execute(async (connection) => {
      const { adapter } = connection.getExecutor()
      try {
        await adapter.acquireMigrationLock(connection, lock)
        order.push(name)
        await then()
      } finally {
        await adapter.releaseMigrationLock(connection, lock)
      }
    })
  const [started, end] = [signal(), signal()]
  const all = [
    take(patient, 'first', () => {
      started.go()
      return end.wait
    }),
  ]
  await started.wait
  const gaveUp = rejection(take(hasty, 'hasty'))
  all.push(take(patient, 'second'), take(patient, 'third'))
  expect(await gaveUp).toBeInstanceOf(MigrationLockTimeoutError)
  end.go()
  await Promise.all(all)
  expect(order).toEqual(['first', 'second', 'third'])
})

test('a lock is free again when its holder fails, or is released without a word', async () => {
  const db = await kyselyWithTables({ path: file(), migrationLockTimeoutMs: 1000 })
  const { adapter } = db.getExecutor()
  const mine = new Error('mine')
  const error = await rejection(
    db.connection().execute(async (connection) => {
      await adapter.acquireMigrationLock(connection, lock)
      throw mine
    }),
  )
  expect(error).toBe(mine)
  succeeded(await migrator(db, async () => {}).migrateToLatest())
})

test('a lock that was never taken is released without an error', async () => {
  const db = await kyselyWithTables()
  await db
    .connection()
    .execute((connection) => db.getExecutor().adapter.releaseMigrationLock(connection, lock))
  await db.insertInto('person').values({ name: 'Ada' }).execute()
  expect(await names(db)).toEqual(['Ada'])
})

describe.each([false, true])('where a snapshot is taken with the begin: %s', (atOnce) => {
  test('a lock taken in the transaction just begun, as Kysely before 0.29.3 does, holds until its commit', async () => {
    const { log, lines } = recorder()
    const settings = { immediate_transaction_mode: atOnce }
    const db = await kyselyWithTables({ path: file(), settings }, { log })
    await db.insertInto('person').values({ name: 'Ada', age: 0 }).execute()
    const { adapter } = db.getExecutor()
    const addOne = () =>
      db.transaction().execute(async (trx) => {
        try {
          await adapter.acquireMigrationLock(trx, lock)
          const { age } = await trx.selectFrom('person').select('age').executeTakeFirstOrThrow()
          await new Promise((resolve) => setTimeout(resolve, 10))
          await trx
            .updateTable('person')
            .set({ age: age! + 1 })
            .execute()
        } finally {
          await adapter.releaseMigrationLock(trx, lock)
        }
      })
    lines.length = 0
    await Promise.all([addOne(), addOne(), addOne()])
    expect(lines.filter((line) => line === 'rollback')).toHaveLength(3)
    expect(await db.selectFrom('person').select('age').executeTakeFirst()).toEqual({ age: 3 })

    const mine = new Error('mine')
    const error = await rejection(
      db.transaction().execute(async (trx) => {
        await adapter.acquireMigrationLock(trx, lock)
        await adapter.releaseMigrationLock(trx, lock)
        throw mine
      }),
    )
    expect(error).toBe(mine)
    await addOne()
  })
})

test('a connection of a wrapper that hides ours is refused with the reason', async () => {
  const db = await kyselyWithTables()
  const dialect = new DuckDBDialect({ path: ':memory:' })
  const hiding = new Kysely<any>({
    dialect: {
      createAdapter: () => dialect.createAdapter(),
      createIntrospector: (of) => dialect.createIntrospector(of),
      createQueryCompiler: () => dialect.createQueryCompiler(),
      createDriver() {
        const driver = dialect.createDriver()
        const acquire = driver.acquireConnection.bind(driver)
        const release = driver.releaseConnection.bind(driver)
        const hidden = new WeakMap<DatabaseConnection, DatabaseConnection>()
        driver.acquireConnection = async () => {
          const connection = await acquire()
          const cover: DatabaseConnection = {
            executeQuery: (query) => connection.executeQuery(query),
            streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
          }
          hidden.set(cover, connection)
          return cover
        }
        driver.releaseConnection = (cover) => release(hidden.get(cover)!)
        return driver
      },
    },
  })
  onTestFinished(() => hiding.destroy())
  const { error } = await migrator(hiding, async () => {}).migrateToLatest()
  expect(error).toMatchObject({ code: 'FOREIGN_CONNECTION' })
  await createTables(hiding)
  expect(await names(db)).toEqual([])
})

test('`create ... if not exists` waits for nobody who waits for it, when connections are few', async () => {
  const db = kysely({ path: ':memory:', pool: { max: 1, acquireTimeoutMs: 5_000 } })
  const create = (on: typeof db, table: string): Promise<void> =>
    on.schema.createTable(table).ifNotExists().addColumn('a', 'integer').execute()
  let plain: Promise<void> | undefined
  await db.connection().execute(async (connection) => {
    await sql`select 1`.execute(connection)
    plain = create(db, 'x')
    await new Promise((resolve) => setTimeout(resolve, 20))
    await create(connection, 'y')
  })
  await plain
  expect(await tables(db)).toEqual(['x', 'y'])
})

test('`create ... if not exists` by many at once fails for none of them', async () => {
  const db = kysely()
  for (let round = 0; round < 20; round++) {
    const name = `made_${round}`
    await Promise.all(
      Array.from({ length: 8 }, () =>
        db.schema.createTable(name).ifNotExists().addColumn('id', 'integer').execute(),
      ),
    )
    await Promise.all(
      Array.from({ length: 8 }, () => db.schema.createSchema(`s_${round}`).ifNotExists().execute()),
    )
  }
  expect(await tables(db)).toHaveLength(20)
})
