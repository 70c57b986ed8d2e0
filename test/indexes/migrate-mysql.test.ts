import {
  migrateSafely as migrateDrizzle,
  repairMigration as repairDrizzle,
} from '@keelson/indexes/drizzle'
import { migrateSafely, repairMigration } from '@keelson/indexes/kysely'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/mysql2'
import { migrate } from 'drizzle-orm/mysql2/migrator'
import { Kysely, MysqlDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { createPool } from 'mysql2'
import { createPool as createPromisePool } from 'mysql2/promise'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMysqlDatabase, hasMysql } from '../support/mysql.ts'
import { rejection } from '../support/rejection.ts'
import {
  drizzleFolder,
  kyselyMigrations,
  type MigrateOptions,
  type TextMigration,
} from './migrating.ts'

interface Mysql {
  migrate(
    migrations: readonly TextMigration[],
    options?: MigrateOptions,
  ): ReturnType<typeof migrateSafely>
  repair(migrations: readonly TextMigration[], name: string, as: 'done' | 'undone'): Promise<void>
  /** The ORM's own migrator. */
  original(migrations: readonly TextMigration[]): Promise<void>
  rows(query: string): Promise<unknown[]>
}

async function onKysely(uri: string): Promise<Mysql> {
  const db = new Kysely<any>({
    dialect: new MysqlDialect({ pool: createPool({ uri, connectionLimit: 3 }) }),
  })
  onTestFinished(() => db.destroy())
  return {
    migrate: (migrations, options) =>
      migrateSafely(db, { migrations: kyselyMigrations(migrations), ...options }),
    repair: (migrations, name, as) =>
      repairMigration(db, { migrations: kyselyMigrations(migrations), name, as }),
    async original(migrations) {
      const provider = { getMigrations: async () => kyselyMigrations(migrations) }
      const { error } = await new Migrator({ db, provider }).migrateToLatest()
      expect(error).toBeUndefined()
    },
    rows: async (query) => (await sql.raw(query).execute(db)).rows,
  }
}

async function onDrizzle(uri: string): Promise<Mysql> {
  const pool = createPromisePool({ uri, connectionLimit: 3 })
  onTestFinished(() => pool.end())
  const db = drizzle(pool, { mode: 'default' })
  return {
    migrate: async (migrations, options) =>
      migrateDrizzle(db, { migrations: drizzleFolder(migrations, 'mysql'), ...options }),
    repair: async (migrations, name, as) =>
      repairDrizzle(db, { migrations: drizzleFolder(migrations, 'mysql'), name, as }),
    original: async (migrations) =>
      migrate(db, { migrationsFolder: drizzleFolder(migrations, 'mysql') }),
    rows: async (query) => (await db.execute(drizzleSql.raw(query)))[0] as unknown as unknown[],
  }
}

const a: TextMigration = {
  name: '0001_a',
  up: ['create table a (id integer)', 'insert into a values (1)'],
}
const b: TextMigration = { name: '0002_b', up: ['create table b (id integer)'] }

describe.skipIf(!hasMysql).for([
  ['Kysely', onKysely],
  ['Drizzle', onDrizzle],
] as const)('%s on MySQL', ([, open]) => {
  test('what fails in the middle is marked as dirty, since MySQL commits before each CREATE', async () => {
    const mysql = await open(await createMysqlDatabase())
    const broken = { ...b, up: [...b.up, 'insert into missing values (1)'] }
    expect(await rejection(mysql.migrate([a, broken]))).toMatchObject({
      code: 'MIGRATION_FAILED',
      isRolledBack: false,
      report: { applied: [{ name: '0001_a', transaction: false }] },
    })
    expect(await rejection(mysql.migrate([a, broken]))).toMatchObject({ code: 'MIGRATION_DIRTY' })
    await mysql.repair([a, b], '0002_b', 'done')
    expect(await mysql.migrate([a, b])).toMatchObject({
      applied: [],
      skipped: ['0001_a', '0002_b'],
    })
    expect(await mysql.rows('select * from b')).toEqual([])
  })

  test('of several that migrate at once, on connections of their own, each migration is applied by one', async () => {
    const uri = await createMysqlDatabase()
    const several = await Promise.all([open(uri), open(uri), open(uri)])
    const slow = { ...b, up: [...b.up, 'do sleep(0.2)', 'update a set id = id + 1'] }
    const reports = await Promise.all(several.map((it) => it.migrate([a, slow])))
    expect(reports.flatMap(({ applied }) => applied.map(({ name }) => name))).toEqual([
      '0001_a',
      '0002_b',
    ])
    expect(await several[0]!.rows('select * from a')).toEqual([{ id: 2 }])
  })

  test('the lock is waited for no longer than asked, and the error names who has it', async () => {
    const uri = await createMysqlDatabase()
    const [one, other] = [await open(uri), await open(uri)]
    const slow = { ...b, up: [...b.up, 'do sleep(1)'] }
    await one.migrate([a])
    const running = one.migrate([a, slow])
    while (
      (await other.rows("select 1 from information_schema.processlist where info like 'do sleep%'"))
        .length === 0
    );
    expect(await rejection(other.migrate([a, slow], { lockTimeoutMs: 100 }))).toMatchObject({
      code: 'MIGRATION_LOCK_TIMEOUT',
      holder: expect.stringMatching(/^connection \d+$/),
    })
    await running
    expect((await other.migrate([a, slow])).applied).toEqual([])
  })

  test("goes on from what the ORM's own migrator has applied, and says what a dry run cannot know", async () => {
    const mysql = await open(await createMysqlDatabase())
    const planned = await mysql.migrate([a], { dryRun: true })
    expect(planned.pending).toEqual(['0001_a'])
    expect(await rejection(mysql.rows('select * from keelson_migration'))).toBeInstanceOf(Error)
    await mysql.original([a])
    expect(await mysql.migrate([a, b])).toMatchObject({
      applied: [{ name: '0002_b' }],
      adopted: ['0001_a'],
    })
    await mysql.original([a, b])
    expect(await mysql.rows('select * from a')).toEqual([{ id: 1 }])
    const error = await rejection(
      mysql.migrate([a, b, { name: '0003_c', up: [] }], { backup: '/tmp/none' }),
    )
    expect(error.message).toContain('Run mysqldump --single-transaction before you migrate')
  })
})
