import { PGlite } from '@electric-sql/pglite'
import { SqliteDialect as KeelsonDialect } from '@keelson/sqlite/kysely'
import { transaction, withTransactions } from '@keelson/transactions/kysely'
import Database from 'better-sqlite3'
import { type Dialect, Kysely, PGliteDialect, SqliteDialect } from 'kysely'
import { type People, type PeopleFiles, personValues } from './people.ts'

/** One way to run transactions. Each job tells how many rows it saw, or how many transactions it ran. */
export interface TransactionContender {
  readonly name: string
  emptyTransaction(times: number): number | Promise<number>
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
        ...throughKysely((name) => new SqliteDialect({ database: tuned(`kysely ${name}`) })),
        rawSqlite(tuned('raw again')),
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
): TransactionContender[] {
  const dialect = (n: number): Dialect =>
    typeof dialects === 'function' ? dialects(kinds[n]!) : dialects[n]!
  return [
    kyselyCallbacks('Kysely', dialect(0)),
    kyselyCallbacks('its own calls, withTransactions', withTransactions(dialect(1))),
    kyselyTransactions('transaction(db, fn)', withTransactions(dialect(2))),
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

async function select(db: Kysely<People>, ids: readonly number[]): Promise<number> {
  let rows = 0
  for (const id of ids) {
    const row = await db.selectFrom('person').selectAll().where('id', '=', id).executeTakeFirst()
    if (row !== undefined) rows++
  }
  return rows
}

function rawSqlite(database: Database.Database): TransactionContender {
  const get = database.prepare(byId)
  const run = (sql: string): (() => void) => {
    const statement = database.prepare(sql)
    return () => void statement.run()
  }
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
