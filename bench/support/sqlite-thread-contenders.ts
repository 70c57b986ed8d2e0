import { Worker } from 'node:worker_threads'
import { bulkInsert } from '@keelson/bulk-insert/kysely'
import { openSqlite } from '@keelson/sqlite'
import { SqliteDialect as KeelsonDialect } from '@keelson/sqlite/kysely'
import { createClient } from '@libsql/client'
import Pool from 'better-sqlite3-pool'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  DummyDriver,
  Kysely,
  sql,
  SqliteAdapter,
  SqliteDialect,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { GenericSqliteWorkerDialect } from 'kysely-generic-sqlite/worker'
import { createNodeWorkerExecutor } from 'kysely-generic-sqlite/worker-helper-node'
import { SqliteWorkerDialect } from 'kysely-sqlite-worker'
import { type BulkRow, sixColumns } from './bulk-rows.ts'
import { byId, insertOne, many, type People, personOf, personValues, tuned } from './people.ts'
import type { GenericWorkerData } from './sqlite-generic-worker.ts'

/** One way to reach SQLite for many callers at once. Each job tells how many rows it saw. */
export interface ThreadContender {
  readonly name: string
  /** SQLite runs on the calling thread, whatever the API looks like. */
  readonly blocks: boolean
  one(id: number): Promise<number>
  many(limit: number): Promise<number>
  aggregate(limit: number): Promise<number>
  insert(id: number): Promise<number>
  readonly stream?: (limit: number) => Promise<number>
  close(): unknown
}

/** Names that the targets are told by. */
export const names = {
  raw: 'raw better-sqlite3, prepared',
  keelson: 'Keelson threads, no ORM',
  keelsonOne: 'Keelson threads, no ORM, one reader',
  kyselyThreads: 'Kysely: Keelson threads',
  kyselyInline: 'Kysely: Keelson inline',
  kysely: 'Kysely: SqliteDialect',
  worker: 'Kysely: kysely-sqlite-worker',
  generic: 'Kysely: kysely-generic-sqlite, worker',
  pool: 'better-sqlite3-pool',
  libsql: 'libsql client',
} as const

/** What Kysely itself takes of one statement: no driver can be faster under it. */
export const kyselyAlone = 'Kysely: no database'

export type Synchronous = 'normal' | 'full'

/** Read connections of those who have more than one. */
const readers = 2

const aggregate =
  'select count(*) as people, avg(score) as score, max(created_at) as last from person where id <= ?'

/** All of them in WAL mode, on a file each. The raw client, on the calling thread, is the floor. */
const contenders: Readonly<
  Record<
    string,
    (file: string, synchronous: Synchronous) => ThreadContender | Promise<ThreadContender>
  >
> = {
  [names.raw]: raw,
  [names.keelson]: (file, synchronous) => keelson(names.keelson, file, synchronous, readers),
  [names.keelsonOne]: (file, synchronous) => keelson(names.keelsonOne, file, synchronous, 1),
  [names.kyselyThreads]: (path, synchronous) =>
    throughKysely(
      names.kyselyThreads,
      new KeelsonDialect({ path, mode: 'threads', readers, synchronous }),
    ),
  [names.kyselyInline]: (path, synchronous) =>
    throughKysely(names.kyselyInline, new KeelsonDialect({ path, synchronous }), { blocks: true }),
  [names.kysely]: (file, synchronous) =>
    throughKysely(names.kysely, new SqliteDialect({ database: tuned(file, synchronous) }), {
      blocks: true,
    }),
  [names.worker]: (source, synchronous) =>
    throughKysely(
      names.worker,
      new SqliteWorkerDialect({
        source,
        onCreateConnection: async (connection) => {
          await connection.executeQuery(CompiledQuery.raw(`pragma synchronous = ${synchronous}`))
        },
      }),
      { streams: false },
    ),
  [names.generic]: (file, synchronous) => {
    const data: GenericWorkerData = { file, synchronous }
    const worker = (): Worker => new Worker(new URL('sqlite-generic-worker.ts', import.meta.url))
    return throughKysely(
      names.generic,
      new GenericSqliteWorkerDialect(createNodeWorkerExecutor({ worker, data })),
    )
  },
  [names.pool]: pool,
  [names.libsql]: libsql,
  [kyselyAlone]: () => throughKysely(kyselyAlone, withoutDatabase, { blocks: true }),
}

const withoutDatabase: Dialect = {
  createAdapter: () => new SqliteAdapter(),
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
  createDriver: () => new AnsweringDriver(),
}

class AnsweringDriver extends DummyDriver {
  override async acquireConnection(): Promise<DatabaseConnection> {
    return {
      executeQuery: async () => ({ rows: [], numAffectedRows: 1n, insertId: 1n }),
      async *streamQuery() {},
    }
  }
}

/** One of them, on a file of its own. */
export async function sqliteThreadContender(
  name: string,
  file: string,
  synchronous: Synchronous,
): Promise<ThreadContender> {
  return contenders[name]!(file, synchronous)
}

function raw(file: string, synchronous: Synchronous): ThreadContender {
  const database = tuned(file, synchronous)
  const oneById = database.prepare(byId)
  const all = database.prepare(many)
  const sums = database.prepare(aggregate)
  const insert = database.prepare(insertOne)
  return {
    name: names.raw,
    blocks: true,
    one: async (id) => (oneById.get(id) === undefined ? 0 : 1),
    many: async (limit) => all.all(limit).length,
    aggregate: async (limit) => sums.all(limit).length,
    insert: async (id) => insert.run(...personValues(id)).changes,
    async stream(limit) {
      let rows = 0
      for (const row of all.iterate(limit)) if ((row as { id: number }).id > 0) rows++
      return rows
    },
    close: () => database.close(),
  }
}

function keelson(
  name: string,
  path: string,
  synchronous: Synchronous,
  readers: number,
): ThreadContender {
  const database = openSqlite({ path, mode: 'threads', readers, synchronous })
  return {
    name,
    blocks: false,
    one: async (id) => (await database.execute(byId, [id])).rows.length,
    many: async (limit) => (await database.execute(many, [limit])).rows.length,
    aggregate: async (limit) => (await database.execute(aggregate, [limit])).rows.length,
    insert: async (id) => (await database.execute(insertOne, personValues(id))).changes!,
    async stream(limit) {
      let rows = 0
      for await (const chunk of database.stream<{ id: number }>(many, [limit])) {
        for (const row of chunk) if (row.id > 0) rows++
      }
      return rows
    },
    close: () => database.close(),
  }
}

function throughKysely(
  name: string,
  dialect: Dialect,
  { blocks = false, streams = true } = {},
): ThreadContender {
  const db = new Kysely<People>({ dialect })
  const people = db.selectFrom('person')
  return {
    name,
    blocks,
    async one(id) {
      const row = await people.selectAll().where('id', '=', id).executeTakeFirst()
      return row === undefined ? 0 : 1
    },
    many: async (limit) => (await people.selectAll().where('id', '<=', limit).execute()).length,
    async aggregate(limit) {
      const rows = await people
        .select(({ fn }) => [
          fn.countAll().as('people'),
          fn.avg('score').as('score'),
          fn.max('created_at').as('last'),
        ])
        .where('id', '<=', limit)
        .execute()
      return rows.length
    },
    async insert(id) {
      const result = await db.insertInto('person').values(personOf(id)).executeTakeFirstOrThrow()
      return Number(result.numInsertedOrUpdatedRows)
    },
    ...(streams && {
      async stream(limit: number) {
        let rows = 0
        for await (const row of people.selectAll().where('id', '<=', limit).stream())
          if (row.id > 0) rows++
        return rows
      },
    }),
    close: () => db.destroy(),
  }
}

/** With the engine of better-sqlite3 13, as everybody here, not of 12 that it asks for: see pnpm-workspace.yaml. */
async function pool(file: string, synchronous: Synchronous): Promise<ThreadContender> {
  const database = await Pool.create(file, { minWorkers: readers, maxWorkers: readers })
  await database.pragma(`synchronous = ${synchronous}`)
  const oneById = database.prepare(byId)
  const all = database.prepare(many)
  const sums = database.prepare(aggregate)
  const insert = database.prepare(insertOne)
  return {
    name: names.pool,
    blocks: false,
    one: async (id) => ((await oneById.get(id)) === undefined ? 0 : 1),
    many: async (limit) => (await all.all(limit)).length,
    aggregate: async (limit) => (await sums.all(limit)).length,
    insert: async (id) => (await insert.run(...personValues(id))).changes,
    async stream(limit) {
      let rows = 0
      for await (const row of all.iterate(limit)) if ((row as { id: number }).id > 0) rows++
      return rows
    },
    close: () => database.close(),
  }
}

async function libsql(file: string, synchronous: Synchronous): Promise<ThreadContender> {
  // More connections would not work at once, and would not have the setting.
  const client = createClient({ url: `file:${file}`, concurrency: 1 })
  await client.execute(`pragma synchronous = ${synchronous}`)
  const rowsOf = async (text: string, value: number): Promise<number> =>
    (await client.execute({ sql: text, args: [value] })).rows.length
  return {
    name: names.libsql,
    blocks: true,
    one: (id) => rowsOf(byId, id),
    many: (limit) => rowsOf(many, limit),
    aggregate: (limit) => rowsOf(aggregate, limit),
    insert: async (id) =>
      (await client.execute({ sql: insertOne, args: personValues(id) })).rowsAffected,
    close: () => client.close(),
  }
}

/** A bulk insert into a table that is empty before each round. */
export function bulkContender(
  mode: 'inline' | 'threads',
  path: string,
  rows: readonly BulkRow[],
): { prepare(): Promise<void>; run(): Promise<number>; close(): Promise<void> } {
  const db = new Kysely<any>({ dialect: new KeelsonDialect({ path, mode }) })
  return {
    async prepare() {
      await sql`drop table if exists person`.execute(db)
      await sql.raw(sixColumns.ddl('sqlite')).execute(db)
      globalThis.gc?.()
    },
    run: async () => (await bulkInsert(db, 'person', rows)).inserted!,
    close: () => db.destroy(),
  }
}
