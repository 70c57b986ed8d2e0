import { revertPlan } from '@keelson/indexes'
import { ensureTables as ensureOnDrizzle } from '@keelson/indexes/drizzle'
import { ensureTables, migrateSafely } from '@keelson/indexes/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { transaction, withTransactions } from '@keelson/transactions/kysely'
import BetterSqlite3 from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { Kysely, type LogEvent } from 'kysely'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { rowsOf } from './rows-of.ts'
import { databases, engines } from './schema-databases.ts'
import { adding, altering, index, posts, unique, users, without } from './tables.ts'

const note = { name: 'note', type: { kind: 'string' }, nullable: true } as const

describe.each(Object.entries(databases))('on %s', (_, open) => {
  it('creates what is missing, and adds what is new', async () => {
    const database = await open()
    await database.ensureTables([users({ indexes: [unique('email')] })])
    const more = adding(users({ indexes: [unique('email'), index('name')] }), note)
    await database.ensureTables([more, posts()])
    expect((await database.diffSchema([more, posts()])).steps).toEqual([])
  })

  it('is one with others that ask at the same time', async () => {
    const database = await open()
    const tables = Array.from({ length: 6 }, () => users({ indexes: [index('age')] }))
    await Promise.all(tables.map((table) => database.ensureTables([table], { refresh: true })))
    expect(await database.introspect()).toHaveLength(1)
  })
})

describe.each(engines)('on %s', (_, open) => {
  it('drops nothing: an index that no definition asks for stays', async () => {
    const database = await open()
    await database.ensureTables([users({ indexes: [index('age')] })])
    await database.ensureTables([users()])
    expect(await database.introspect()).toMatchObject([{ indexes: [{ unique: false }] }])
  })

  it('refuses what is more than adding, before anything is done', async () => {
    const database = await open()
    await database.ensureTables([users()])
    for (const table of [
      without(users(), 'age'),
      altering(users(), { name: 'age', type: { kind: 'int32' }, nullable: false }),
    ]) {
      await expect(database.ensureTables([posts(), table])).rejects.toMatchObject({
        code: 'NOT_ADDITIVE',
      })
    }
    expect(await database.introspect()).toHaveLength(1)
  })

  it('looks again when it is told to, and not before', async () => {
    const database = await open()
    const tables = [users()]
    await database.ensureTables(tables)
    await database.sql('drop table users')
    await database.ensureTables(tables)
    expect(await database.introspect()).toEqual([])
    await database.ensureTables(tables, { refresh: true })
    expect(await database.introspect()).toHaveLength(1)
  })

  it('looks again after a plan or a migration, which may have dropped what was there', async () => {
    const database = await open()
    const plan = await database.diffSchema([users()])
    await database.applyPlan(plan)
    await database.ensureTables([users()])
    await database.applyPlan(revertPlan(plan), { allowDrop: true })
    await database.ensureTables([users()])
    expect(await database.introspect()).toHaveLength(1)
    const up = (db: Kysely<any>): Promise<void> => db.schema.dropTable('users').execute()
    await migrateSafely(database.db, { migrations: { '0001_drop': { up } } })
    await database.ensureTables([users()])
    expect((await database.introspect()).map(({ name }) => name)).toContain('users')
  })

  it('is not ended by the signal of another call for the same tables', async () => {
    const database = await open()
    const stopped = database.ensureTables([users()], { signal: AbortSignal.abort('stopped') })
    const other = database.ensureTables([users()])
    await expect(stopped).rejects.toBe('stopped')
    await other
    expect(await database.introspect()).toHaveLength(1)
  })

  it('refuses to be called inside a transaction when something may be missing', async () => {
    const database = await open()
    const tables = [users()]
    const inside = (): Promise<void> =>
      database.db.transaction().execute((tx: Kysely<any>) => ensureTables(tx, tables))
    await expect(inside()).rejects.toMatchObject({ code: 'OPEN_TRANSACTION' })
    expect(await database.introspect()).toEqual([])
    await database.ensureTables(tables)
    await inside()
  })

  it('joins a transaction when it is told to, and remembers nothing of it', async () => {
    const database = await open()
    const tables = [users({ indexes: [index('age')] })]
    const joined = database.db.transaction().execute(async (tx: Kysely<any>) => {
      await ensureTables(tx, tables, { inTransaction: 'join' })
      await tx.insertInto('users').values({ id: 1, email: 'a' }).execute()
      throw new Error('undone')
    })
    await expect(joined).rejects.toThrow('undone')
    expect(await database.introspect()).toEqual([])
    await database.ensureTables(tables)
    expect(await database.introspect()).toHaveLength(1)
  })
})

const inTransactions = Object.entries(databases).filter(
  ([name]) =>
    !['better-sqlite3 under Drizzle', 'better-sqlite3 under Drizzle with transactions'].includes(
      name,
    ),
)

describe.each(inTransactions)('joining a transaction on %s', (name, open) => {
  it('leaves nothing in it when a step fails', async () => {
    const database = await open()
    await database.ensureTables([users()])
    await database.sql(`insert into users (id, email) values (1, 'a'), (2, 'a')`)
    const tables = [posts(), users({ indexes: [unique('email')] })]
    const isKysely = name.includes('Kysely')
    let error: unknown
    const within = async (tx: any): Promise<void> => {
      await rowsOf(
        tx,
        'delete from users where id = 1',
        `insert into users (id, email) values (3, 'a')`,
      )
      const joining = isKysely ? ensureTables : ensureOnDrizzle
      error = await rejection(joining(tx, tables, { inTransaction: 'join' }))
    }
    const done = isKysely
      ? database.db.transaction().execute(within)
      : database.db.transaction(within)
    // Without savepoints the transaction cannot be committed any more.
    if (database.engine === 'duckdb')
      expect(await rejection(done)).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    else await done
    expect(error).toMatchObject({ code: 'ROWS_IN_THE_WAY' })
    expect((await database.introspect()).map((table) => table.name)).toEqual(['users'])
    expect(await database.sql('select id from users order by id')).toEqual(
      (database.engine === 'duckdb' ? [1, 2] : [2, 3]).map((id) => ({
        id: expect.toSatisfy((it: unknown) => Number(it) === id),
      })),
    )
  })
})

describe('what it knows', () => {
  function logged(): { readonly db: Kysely<any>; readonly log: string[] } {
    const log: string[] = []
    const db = new Kysely<any>({
      dialect: new SqliteDialect({ path: ':memory:' }),
      log: (event: LogEvent) => void log.push(event.query.sql),
    })
    onTestFinished(() => db.destroy())
    return { db, log }
  }

  it('costs no query, for the same definitions and for others that say the same', async () => {
    const { db, log } = logged()
    const tables = [users()]
    await ensureTables(db, tables)
    log.length = 0
    await ensureTables(db, tables)
    await ensureTables(db, [users()])
    await ensureTables(db.withSchema('main'), [users()])
    expect(log).toEqual([])
    await ensureTables(db, [adding(users(), note)])
    expect(log.length).toBeGreaterThan(0)
  })

  it('takes no lock where nothing is missing, though nothing is known', async () => {
    const path = temporaryFile()
    const open = (): Kysely<any> => {
      const db = new Kysely<any>({ dialect: new SqliteDialect({ path, busyTimeoutMs: 0 }) })
      onTestFinished(() => db.destroy())
      return db
    }
    await ensureTables(open(), [users()])
    const holder = new BetterSqlite3(path)
    onTestFinished(() => void holder.close())
    holder.exec('begin immediate')
    await ensureTables(open(), [users()], { lockTimeoutMs: 0 })
  })

  it('is not of another database', async () => {
    const [one, other] = [logged(), logged()]
    const tables = [users()]
    await ensureTables(one.db, tables)
    await ensureTables(other.db, tables)
    expect(other.log.length).toBeGreaterThan(0)
  })

  it('is not of tables of which creating failed', async () => {
    const { db } = logged()
    await db.schema.createTable('users').addColumn('id', 'integer').execute()
    const tables = [users()]
    await expect(ensureTables(db, tables)).rejects.toMatchObject({ code: 'NOT_ADDITIVE' })
    await expect(ensureTables(db, tables)).rejects.toMatchObject({ code: 'NOT_ADDITIVE' })
  })

  it('is asked for in microseconds', async () => {
    const { db } = logged()
    const tables = [users({ indexes: [index('age')] }), posts()]
    await ensureTables(db, tables)
    const calls = 10_000
    const start = performance.now()
    for (let call = 0; call < calls; call++) await ensureTables(db, tables)
    const us = ((performance.now() - start) / calls) * 1_000
    console.info(`${us.toFixed(2)} us for each call`)
    // A limit that catches a query, not a measurement: a busy machine may be many times slower.
    expect(us).toBeLessThan(50)
  })

  it('is asked for in microseconds under Drizzle', async () => {
    const client = new BetterSqlite3(':memory:')
    onTestFinished(() => void client.close())
    const db = drizzle(client)
    const tables = [users({ indexes: [index('age')] }), posts()]
    await ensureOnDrizzle(db, tables)
    const calls = 10_000
    const start = performance.now()
    for (let call = 0; call < calls; call++) await ensureOnDrizzle(db, tables)
    const us = ((performance.now() - start) / calls) * 1_000
    console.info(`${us.toFixed(2)} us for each call under Drizzle`)
    expect(us).toBeLessThan(50)
  })
})

describe('an ambient transaction', () => {
  it('is one that it refuses to be called in, or joins', async () => {
    const db = new Kysely<any>({
      dialect: withTransactions(new SqliteDialect({ path: ':memory:' })),
    })
    onTestFinished(() => db.destroy())
    await transaction(db, async () => {
      await expect(ensureTables(db, [users()])).rejects.toMatchObject({ code: 'OPEN_TRANSACTION' })
      await ensureTables(db, [users()], { inTransaction: 'join' })
      await db.insertInto('users').values({ id: 1, email: 'a' }).execute()
    })
    await ensureTables(db, [users(), posts()])
  })
})
