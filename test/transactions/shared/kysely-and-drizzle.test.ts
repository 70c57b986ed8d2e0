import { openDuckDB } from '@keelson/duckdb'
import { drizzle as duckdbDrizzle } from '@keelson/duckdb/drizzle'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { openSqlite } from '@keelson/sqlite'
import { drizzle } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import * as onDrizzle from '@keelson/transactions/drizzle'
import * as onKysely from '@keelson/transactions/kysely'
import { Kysely } from 'kysely'
import { pgTable, text as pgText } from 'drizzle-orm/pg-core'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryFile } from '../../support/temporary-directory.ts'

const item = sqliteTable('item', { name: text().unique() })
const pgItem = pgTable('item', { name: pgText().unique() })

interface Both {
  readonly kysely: Kysely<{ item: { name: string } }>
  readonly drizzle: any
  byKysely(name: string): Promise<unknown>
  byDrizzle(name: string): Promise<unknown>
  names(): Promise<string>
}

async function sqliteBoth(): Promise<Both> {
  const database = openSqlite({ path: temporaryFile('app.db'), busyTimeoutMs: 1_000 })
  onTestFinished(async () => void (await database.close()))
  await database.execute('create table item (name text unique)')
  const kysely = new Kysely<{ item: { name: string } }>({
    dialect: onKysely.withTransactions(new SqliteDialect({ database })),
  })
  const db = onDrizzle.withTransactions(drizzle(database))
  return both(kysely, db, (name) => db.insert(item).values({ name }).run())
}

async function duckdbBoth(): Promise<Both> {
  const database = await openDuckDB({ path: temporaryFile('app.duckdb') })
  onTestFinished(async () => void (await database.close()))
  await database.execute('create table item (name text unique)')
  const defaults = { propagation: 'required' } as const
  const kysely = new Kysely<{ item: { name: string } }>({
    dialect: onKysely.withTransactions(new DuckDBDialect({ database }), { defaults }),
  })
  const db = onDrizzle.withTransactions(duckdbDrizzle(database), { defaults })
  return both(kysely, db, (name) => db.insert(pgItem).values({ name }).execute())
}

function both(
  kysely: Kysely<{ item: { name: string } }>,
  db: any,
  byDrizzle: (name: string) => Promise<unknown>,
): Both {
  return {
    kysely,
    drizzle: db,
    byDrizzle,
    byKysely: (name) => kysely.insertInto('item').values({ name }).execute(),
    async names() {
      const rows = await kysely.selectFrom('item').select('name').orderBy('name').execute()
      return rows.map(({ name }) => name).join()
    },
  }
}

describe.for([
  { name: 'openSqlite()', open: sqliteBoth, nests: true },
  { name: 'openDuckDB()', open: duckdbBoth, nests: false },
])('Kysely and Drizzle over one $name', ({ open, nests }) => {
  test('Drizzle joins a transaction that Kysely has begun', async () => {
    const { kysely, drizzle: db, byKysely, byDrizzle, names } = await open()
    await onKysely
      .transaction(kysely, async () => {
        await byKysely('a')
        await byDrizzle('b')
        await onDrizzle.transaction(db, () => byDrizzle('c'))
        expect(onDrizzle.inTransaction(db)).toBe(true)
        expect(await names()).toBe('a,b,c')
        throw new Error('no')
      })
      .catch(() => {})
    expect(await names()).toBe('')
  })

  test('Kysely joins a transaction that Drizzle has begun', async () => {
    const { kysely, drizzle: db, byKysely, byDrizzle, names } = await open()
    await onDrizzle.transaction(db, async () => {
      await byDrizzle('a')
      await byKysely('b')
      await onKysely.transaction(kysely, () => byKysely('c'))
      expect(onKysely.inTransaction(kysely)).toBe(true)
    })
    expect(await names()).toBe('a,b,c')
    await onDrizzle
      .transaction(db, async () => {
        await byKysely('d')
        throw new Error('no')
      })
      .catch(() => {})
    expect(await names()).toBe('a,b,c')
  })

  test.skipIf(!nests)('a savepoint of one undoes what the other wrote in it', async () => {
    const { kysely, drizzle: db, byKysely, byDrizzle, names } = await open()
    await onKysely.transaction(kysely, async () => {
      await byKysely('kept')
      await onDrizzle
        .transaction(db, async () => {
          await byKysely('undone by kysely')
          await byDrizzle('undone by drizzle')
          throw new Error('no')
        })
        .catch(() => {})
      await byDrizzle('kept too')
    })
    expect(await names()).toBe('kept,kept too')
  })
})
