import { PGlite } from '@electric-sql/pglite'
import { SqliteDialect as KeelsonDialect } from '@keelson/sqlite/kysely'
import { drizzle as keelsonDrizzle, type KeelsonSqliteDatabase } from '@keelson/sqlite/drizzle'
import {
  transaction as drizzleTransaction,
  withTransactions as withDrizzleTransactions,
} from '@keelson/transactions/drizzle'
import { transaction, withTransactions } from '@keelson/transactions/kysely'
import Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3'
import { type Dialect, Kysely, PGliteDialect, SqliteDialect } from 'kysely'
import { type People, type PeopleFiles, person, personValues } from './people.ts'

/** One way to run transactions. Each job tells how many rows it saw, or how many transactions it ran. */
export interface TransactionContender {
  readonly name: string
  emptyTransaction(times: number): number | Promise<number>
  /** Transactions of an update and two point selects. */
  shortTransaction(ids: readonly number[]): number | Promise<number>
  /** A transaction with one savepoint in it, both empty. */
  savepoint(times: number): number | Promise<number>
  queryOutside(ids: readonly number[]): number | Promise<number>
  /** All of them in one transaction. */
  queryInside(ids: readonly number[]): number | Promise<number>
  close(): unknown
}

/** Those who stand on one driver: the ORM alone first, which the others are told as multiples of. */
export interface TransactionGroup {
  readonly name: string
  readonly contenders: readonly TransactionContender[]
}

const updateAge = 'update person set age = ? where id = ?'
const byId = 'select * from person where id = ?'

/** Every contender has a database of its own, with the same rows in it. */
export async function transactionGroups(files: PeopleFiles): Promise<TransactionGroup[]> {
  const tuned = (name: string): Database.Database => {
    const database = new Database(files.file(name))
    database.pragma('journal_mode = wal')
    database.pragma('synchronous = normal')
    return database
  }
  return [
    {
      name: "Kysely, Keelson's SQLite",
      contenders: [
        ...throughKysely((name) => new KeelsonDialect({ path: files.file(`keelson ${name}`) })),
        rawSqlite(tuned('raw')),
      ],
    },
    {
      name: 'Kysely, SqliteDialect',
      contenders: [
        // `deferred`, as Kysely begins, which takes no lock.
        ...throughKysely(
          (name) => new SqliteDialect({ database: tuned(`kysely ${name}`) }),
          'deferred',
        ),
        rawSqlite(tuned('raw again')),
      ],
    },
    {
      name: "Drizzle, Keelson's SQLite",
      contenders: [
        drizzleCalls('Drizzle', keelsonDrizzle(files.file('drizzle alone'))),
        drizzleCalls(
          'its own calls, withTransactions',
          withDrizzleTransactions(keelsonDrizzle(files.file('drizzle wrapped'))),
        ),
        drizzleTransactions(
          'transaction(db, fn)',
          withDrizzleTransactions(keelsonDrizzle(files.file('drizzle transactions'))),
        ),
        rawSqlite(tuned('raw beside drizzle')),
      ],
    },
    {
      // Its transactions begin deferred, and are synchronous.
      name: 'Drizzle, better-sqlite3',
      contenders: [
        syncDrizzleCalls('Drizzle', drizzle(tuned('sync alone'))),
        syncDrizzleCalls(
          'its own calls, withTransactions',
          withDrizzleTransactions(drizzle(tuned('sync wrapped')), {
            defaults: { behavior: 'deferred' },
          }),
        ),
        syncDrizzleTransactions(
          'transaction(db, fn)',
          withDrizzleTransactions(drizzle(tuned('sync transactions')), {
            defaults: { behavior: 'deferred' },
          }),
        ),
        rawSqlite(tuned('raw beside sync')),
      ],
    },
    {
      name: 'Kysely, PGlite',
      contenders: [
        ...throughKysely(
          await Promise.all(kinds.map(async () => new PGliteDialect({ pglite: await people() }))),
        ),
        rawPGlite(await people()),
      ],
    },
  ]
}

const kinds = ['alone', 'wrapped', 'transaction()'] as const

function throughKysely(
  dialects: readonly Dialect[] | ((name: string) => Dialect),
  behavior?: 'deferred',
): TransactionContender[] {
  const options = { defaults: { behavior } }
  const dialect = (n: number): Dialect =>
    typeof dialects === 'function' ? dialects(kinds[n]!) : dialects[n]!
  return [
    kyselyCallbacks('Kysely', dialect(0)),
    kyselyCallbacks('its own calls, withTransactions', withTransactions(dialect(1), options)),
    kyselyTransactions('transaction(db, fn)', withTransactions(dialect(2), options)),
  ]
}

function kyselyCallbacks(name: string, dialect: Dialect): TransactionContender {
  const db = new Kysely<People>({ dialect })
  return {
    name,
    async emptyTransaction(times) {
      for (let n = 0; n < times; n++) await db.transaction().execute(async () => {})
      return times
    },
    async shortTransaction(ids) {
      for (const id of ids) await db.transaction().execute((trx) => shortWork(trx, id))
      return ids.length
    },
    async savepoint(times) {
      for (let n = 0; n < times; n++) {
        const trx = await db.startTransaction().execute()
        const inner = await trx.savepoint('inner').execute()
        await inner.releaseSavepoint('inner').execute()
        await trx.commit().execute()
      }
      return times
    },
    queryOutside: (ids) => select(db, ids),
    queryInside: (ids) => db.transaction().execute((trx) => select(trx, ids)),
    close: () => db.destroy(),
  }
}

function kyselyTransactions(name: string, dialect: Dialect): TransactionContender {
  const db = new Kysely<People>({ dialect })
  return {
    name,
    async emptyTransaction(times) {
      for (let n = 0; n < times; n++) await transaction(db, async () => {})
      return times
    },
    async shortTransaction(ids) {
      for (const id of ids) await transaction(db, () => shortWork(db, id))
      return ids.length
    },
    async savepoint(times) {
      for (let n = 0; n < times; n++) await transaction(db, () => transaction(db, async () => {}))
      return times
    },
    queryOutside: (ids) => select(db, ids),
    // Plain `db` here, since that is what it is for.
    queryInside: (ids) => transaction(db, () => select(db, ids)),
    close: () => db.destroy(),
  }
}

async function shortWork(db: Kysely<People>, id: number): Promise<void> {
  await db.updateTable('person').set({ age: 30 }).where('id', '=', id).execute()
  await db.selectFrom('person').selectAll().where('id', '=', id).executeTakeFirst()
  await db.selectFrom('person').selectAll().where('id', '=', id).executeTakeFirst()
}

async function select(db: Kysely<People>, ids: readonly number[]): Promise<number> {
  let rows = 0
  for (const id of ids) {
    const row = await db.selectFrom('person').selectAll().where('id', '=', id).executeTakeFirst()
    if (row !== undefined) rows++
  }
  return rows
}

type AsyncDrizzle = KeelsonSqliteDatabase

function drizzleCalls(name: string, db: AsyncDrizzle): TransactionContender {
  return {
    name,
    async emptyTransaction(times) {
      for (let n = 0; n < times; n++) await db.transaction(async () => {})
      return times
    },
    async shortTransaction(ids) {
      for (const id of ids) await db.transaction((tx) => shortDrizzleWork(tx, id))
      return ids.length
    },
    async savepoint(times) {
      for (let n = 0; n < times; n++) await db.transaction((tx) => tx.transaction(async () => {}))
      return times
    },
    queryOutside: (ids) => selectByDrizzle(db, ids),
    queryInside: (ids) => db.transaction((tx) => selectByDrizzle(tx, ids)),
    close: () => db.$client.close(),
  }
}

function drizzleTransactions(name: string, db: AsyncDrizzle): TransactionContender {
  return {
    ...drizzleCalls(name, db),
    async emptyTransaction(times) {
      for (let n = 0; n < times; n++) await drizzleTransaction(db, async () => {})
      return times
    },
    async shortTransaction(ids) {
      for (const id of ids) await drizzleTransaction(db, () => shortDrizzleWork(db, id))
      return ids.length
    },
    async savepoint(times) {
      for (let n = 0; n < times; n++)
        await drizzleTransaction(db, () => drizzleTransaction(db, async () => {}))
      return times
    },
    queryInside: (ids) => drizzleTransaction(db, () => selectByDrizzle(db, ids)),
  }
}

type Queries = Pick<AsyncDrizzle, 'select' | 'update'>

async function shortDrizzleWork(db: Queries, id: number): Promise<void> {
  await db.update(person).set({ age: 30 }).where(eq(person.id, id)).run()
  await db.select().from(person).where(eq(person.id, id)).get()
  await db.select().from(person).where(eq(person.id, id)).get()
}

async function selectByDrizzle(db: Queries, ids: readonly number[]): Promise<number> {
  let rows = 0
  for (const id of ids)
    if ((await db.select().from(person).where(eq(person.id, id)).get()) !== undefined) rows++
  return rows
}

type SyncDrizzle = BetterSQLite3Database & { readonly $client: Database.Database }

function syncDrizzleCalls(name: string, db: SyncDrizzle): TransactionContender {
  return {
    name,
    emptyTransaction(times) {
      for (let n = 0; n < times; n++) db.transaction(() => {})
      return times
    },
    shortTransaction(ids) {
      for (const id of ids) db.transaction((tx) => shortSyncWork(tx, id))
      return ids.length
    },
    savepoint(times) {
      for (let n = 0; n < times; n++) db.transaction((tx) => tx.transaction(() => {}))
      return times
    },
    queryOutside: (ids) => selectBySyncDrizzle(db, ids),
    queryInside: (ids) => db.transaction((tx) => selectBySyncDrizzle(tx, ids)),
    close: () => db.$client.close(),
  }
}

function syncDrizzleTransactions(name: string, db: SyncDrizzle): TransactionContender {
  return {
    ...syncDrizzleCalls(name, db),
    emptyTransaction(times) {
      for (let n = 0; n < times; n++) drizzleTransaction(db, () => {})
      return times
    },
    shortTransaction(ids) {
      for (const id of ids) drizzleTransaction(db, () => shortSyncWork(db, id))
      return ids.length
    },
    savepoint(times) {
      for (let n = 0; n < times; n++) drizzleTransaction(db, () => drizzleTransaction(db, () => {}))
      return times
    },
    queryInside: (ids) => drizzleTransaction(db, () => selectBySyncDrizzle(db, ids)),
  }
}

type SyncQueries = Pick<SyncDrizzle, 'select' | 'update'>

function shortSyncWork(db: SyncQueries, id: number): void {
  db.update(person).set({ age: 30 }).where(eq(person.id, id)).run()
  db.select().from(person).where(eq(person.id, id)).get()
  db.select().from(person).where(eq(person.id, id)).get()
}

function selectBySyncDrizzle(db: SyncQueries, ids: readonly number[]): number {
  let rows = 0
  for (const id of ids)
    if (db.select().from(person).where(eq(person.id, id)).get() !== undefined) rows++
  return rows
}

function rawSqlite(database: Database.Database): TransactionContender {
  const get = database.prepare(byId)
  const run = (sql: string): (() => void) => {
    const statement = database.prepare(sql)
    return () => void statement.run()
  }
  const update = database.prepare(updateAge)
  const [begin, commit] = [run('begin immediate'), run('commit')]
  const [savepoint, release] = [run('savepoint inner_1'), run('release inner_1')]
  const pointSelect = (ids: readonly number[]): number => {
    let rows = 0
    for (const id of ids) if (get.get(id) !== undefined) rows++
    return rows
  }
  return {
    name: 'better-sqlite3, prepared',
    emptyTransaction(times) {
      for (let n = 0; n < times; n++) {
        begin()
        commit()
      }
      return times
    },
    shortTransaction(ids) {
      for (const id of ids) {
        begin()
        update.run(30, id)
        get.get(id)
        get.get(id)
        commit()
      }
      return ids.length
    },
    savepoint(times) {
      for (let n = 0; n < times; n++) {
        begin()
        savepoint()
        release()
        commit()
      }
      return times
    },
    queryOutside: pointSelect,
    queryInside(ids) {
      begin()
      const rows = pointSelect(ids)
      commit()
      return rows
    },
    close: () => database.close(),
  }
}

function rawPGlite(pglite: PGlite): TransactionContender {
  const sql = byId.replace('?', '$1')
  return {
    name: 'PGlite',
    async emptyTransaction(times) {
      for (let n = 0; n < times; n++) await pglite.transaction(async () => {})
      return times
    },
    async shortTransaction(ids) {
      for (const id of ids) {
        await pglite.transaction(async (tx) => {
          await tx.query('update person set age = $1 where id = $2', [30, id])
          await tx.query(sql, [id])
          await tx.query(sql, [id])
        })
      }
      return ids.length
    },
    async savepoint(times) {
      for (let n = 0; n < times; n++) {
        await pglite.transaction(async (tx) => {
          await tx.query('savepoint inner_1')
          await tx.query('release inner_1')
        })
      }
      return times
    },
    async queryOutside(ids) {
      let rows = 0
      for (const id of ids) rows += (await pglite.query(sql, [id])).rows.length
      return rows
    },
    queryInside: (ids) =>
      pglite.transaction(async (tx) => {
        let rows = 0
        for (const id of ids) rows += (await tx.query(sql, [id])).rows.length
        return rows
      }),
    close: () => pglite.close(),
  }
}

/** How many rows there are in PostgreSQL, where the rows are not what is measured. */
export const fewPeople = 100

async function people(): Promise<PGlite> {
  const pglite = await PGlite.create()
  await pglite.exec(
    'create table person (id integer primary key, name text not null, email text not null, age integer not null, score real not null, created_at text not null)',
  )
  for (let id = 1; id <= fewPeople; id++) {
    await pglite.query('insert into person values ($1, $2, $3, $4, $5, $6)', [
      id,
      ...personValues(id),
    ])
  }
  return pglite
}
