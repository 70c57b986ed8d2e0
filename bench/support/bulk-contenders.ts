/** Over 300 lines, being one subject: the ways to insert many rows, each on a database of its own. */
import { bulkInsert } from '@keelson/bulk-insert/kysely'
import { bulkInsert as bulkInsertDrizzle } from '@keelson/bulk-insert/drizzle'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { drizzle as keelsonDrizzle } from '@keelson/sqlite/drizzle'
import { SqliteDialect as KeelsonDialect } from '@keelson/sqlite/kysely'
import * as duckdb from '@duckdb/node-api'
import Database from 'better-sqlite3'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import knex from 'knex'
import { Kysely, PostgresDialect, sql, SqliteDialect } from 'kysely'
import { Pool } from 'pg'
import type { BulkRow, BulkTable } from './bulk-rows.ts'

/** What becomes of a row whose key is there. */
export type Mode = 'insert' | 'skip' | 'update'

/** One way to insert many rows into a table. */
export interface BulkContender {
  readonly name: string
  /** Makes the table anew, empty or with rows in it. */
  prepare(given: readonly BulkRow[], unique: boolean): unknown
  insert(rows: readonly BulkRow[], mode: Mode): unknown
  /** How many rows the table has. */
  count(): number | Promise<number>
  close(): unknown
}

const chunk = 1_000

function* chunks(rows: readonly BulkRow[], size: number): Generator<readonly BulkRow[]> {
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size)
}

function conflictClause({ columns }: BulkTable, mode: Mode): string {
  if (mode === 'insert') return ''
  if (mode === 'skip') return ' on conflict do nothing'
  const sets = columns.filter((name) => name !== 'id').map((name) => `${name} = excluded.${name}`)
  return ` on conflict (id) do update set ${sets.join(', ')}`
}

/** As people open it; by hand also with what helps most where there is a unique index. */
function tuned(file: string, byHand = false): Database.Database {
  const database = new Database(file)
  database.pragma('journal_mode = wal')
  database.pragma('synchronous = normal')
  if (byHand) database.pragma('temp_store = memory')
  return database
}

function prepareSqlite(run: (text: string) => unknown, table: BulkTable, unique: boolean): void {
  run('drop table if exists person')
  run(table.ddl('sqlite'))
  if (unique) run('create unique index person_email on person (email)')
}

/** The best loops by hand, which are the floor for everybody. */
function rawSqlite(
  name: string,
  file: string,
  table: BulkTable,
  perStatement: number,
  counts = false,
): BulkContender {
  const database = tuned(file, true)
  const { columns } = table
  const tuple = `(${columns.map(() => '?').join(', ')})`
  const statementFor = (rows: number, mode: Mode): Database.Statement =>
    database.prepare(
      `insert into person (${columns.join(', ')}) values ${Array(rows).fill(tuple).join(', ')}${conflictClause(table, mode)}${counts && mode === 'update' ? ' where counted()' : ''}`,
    )
  const counter = { updated: 0 }
  database.function('counted', () => {
    counter.updated++
    return 1
  })
  const insert = (rows: readonly BulkRow[], mode: Mode): void => {
    const statement = statementFor(perStatement, mode)
    database.exec('begin immediate')
    let at = 0
    for (; at + perStatement <= rows.length; at += perStatement) {
      const values: unknown[] = []
      for (let row = at; row < at + perStatement; row++)
        for (const column of columns) values.push(rows[row]![column])
      statement.run(...values)
    }
    const rest = rows.slice(at)
    if (rest.length > 0)
      statementFor(rest.length, mode).run(
        ...rest.flatMap((row) => columns.map((column) => row[column])),
      )
    database.exec('commit')
  }
  return {
    name,
    prepare(given, unique) {
      prepareSqlite((statement) => database.exec(statement), table, unique)
      insert(given, 'insert')
    },
    insert,
    count: () => database.prepare('select count(*) from person').pluck().get() as number,
    close: () => database.close(),
  }
}

function throughKysely(
  name: string,
  db: Kysely<any>,
  table: BulkTable,
  insert: (db: Kysely<any>, rows: readonly BulkRow[], mode: Mode) => Promise<unknown>,
  engine: 'sqlite' | 'duckdb' | 'postgresql' = 'sqlite',
): BulkContender {
  return {
    name,
    async prepare(given, unique) {
      await sql`drop table if exists person`.execute(db)
      await sql.raw(table.ddl(engine)).execute(db)
      if (unique) await sql`create unique index person_email on person (email)`.execute(db)
      if (given.length > 0) await bulkInsert(db, 'person', given)
    },
    insert: (rows, mode) => insert(db, rows, mode),
    async count() {
      const { rows } = await sql<{ n: number }>`select count(*) as n from person`.execute(db)
      return Number(rows[0]!.n)
    },
    close: () => db.destroy(),
  }
}

const ours =
  (table: BulkTable) =>
  async (db: Kysely<any>, rows: readonly BulkRow[], mode: Mode): Promise<void> => {
    const onConflict = {
      insert: 'error',
      skip: 'skip',
      update: { target: 'id', update: table.columns.filter((name) => name !== 'id') },
    } as const
    await bulkInsert(db, 'person', rows, { onConflict: onConflict[mode] })
  }

const valuesInChunks =
  ({ columns }: BulkTable, size = chunk) =>
  (db: Kysely<any>, rows: readonly BulkRow[], mode: Mode): Promise<void> =>
    db.transaction().execute(async (trx) => {
      for (const some of chunks(rows, size)) {
        let query = trx.insertInto('person').values(some)
        if (mode === 'skip') query = query.onConflict((clause) => clause.doNothing())
        if (mode === 'update')
          query = query.onConflict((clause) =>
            clause
              .column('id')
              .doUpdateSet((eb) =>
                Object.fromEntries(
                  columns
                    .filter((name) => name !== 'id')
                    .map((name) => [name, eb.ref(`excluded.${name}`)]),
                ),
              ),
          )
        await query.execute()
      }
    })

function drizzleTable({ columns }: BulkTable) {
  const kinds: Readonly<Record<string, () => any>> = {
    id: () => integer().primaryKey(),
    age: integer,
    visits: integer,
    score: real,
    balance: real,
  }
  return sqliteTable(
    'person',
    Object.fromEntries(columns.map((name) => [name, (kinds[name] ?? text)().notNull()])),
  )
}

function drizzleSets(table: BulkTable): Record<string, unknown> {
  const others = table.columns.filter((name) => name !== 'id')
  return Object.fromEntries(others.map((name) => [name, drizzleSql.raw(`excluded.${name}`)]))
}

/** The best loop by hand, with updates told from inserts by a function. */
export const countedByHand = 'raw better-sqlite3, 50 rows a statement, updates counted'

/** Everybody on SQLite, in files of their own. */
export function sqliteBulkContenders(
  file: (name: string) => string,
  table: BulkTable,
): BulkContender[] {
  const person = drizzleTable(table)
  const ofDrizzle = tuned(file('drizzle'))
  const drizzleDb = betterSqlite3Drizzle(ofDrizzle)
  const keelsonDb = keelsonDrizzle(file('drizzle-keelson'))
  const knexDb = knex({
    client: 'better-sqlite3',
    connection: { filename: file('knex') },
    useNullAsDefault: true,
  })
  return [
    rawSqlite('raw better-sqlite3, 50 rows a statement', file('raw-50'), table, 50),
    rawSqlite('raw better-sqlite3, run() in a loop', file('raw-1'), table, 1),
    rawSqlite(countedByHand, file('raw-counted'), table, 50, true),
    throughKysely(
      'Kysely: Keelson',
      new Kysely<any>({ dialect: new KeelsonDialect({ path: file('kysely-keelson') }) }),
      table,
      ours(table),
    ),
    throughKysely(
      'Kysely on SqliteDialect: Keelson',
      new Kysely<any>({ dialect: new SqliteDialect({ database: tuned(file('kysely-foreign')) }) }),
      table,
      ours(table),
    ),
    throughKysely(
      'Kysely: values()',
      new Kysely<any>({ dialect: new SqliteDialect({ database: tuned(file('kysely')) }) }),
      table,
      valuesInChunks(table),
    ),
    {
      name: 'Drizzle: Keelson',
      async prepare(given, unique) {
        for (const text of [
          'drop table if exists person',
          table.ddl('sqlite'),
          ...(unique ? ['create unique index person_email on person (email)'] : []),
        ])
          await keelsonDb.run(drizzleSql.raw(text))
        await bulkInsertDrizzle(keelsonDb, person, given as any)
      },
      async insert(rows, mode) {
        const onConflict = {
          insert: 'error',
          skip: 'skip',
          update: { target: 'id', update: 'all' },
        } as const
        await bulkInsertDrizzle(keelsonDb, person, rows as any, {
          onConflict: onConflict[mode] as any,
        })
      },
      count: () => keelsonDb.$count(person),
      close: () => keelsonDb.$client.close(),
    },
    {
      name: 'Drizzle: values()',
      prepare(given, unique) {
        prepareSqlite((text) => ofDrizzle.exec(text), table, unique)
        if (given.length > 0) this.insert(given, 'insert')
      },
      insert(rows, mode) {
        drizzleDb.transaction((tx) => {
          for (const some of chunks(rows, chunk)) {
            const query = tx.insert(person).values(some as any)
            if (mode === 'skip') query.onConflictDoNothing().run()
            else if (mode === 'update')
              query.onConflictDoUpdate({ target: person['id']!, set: drizzleSets(table) }).run()
            else query.run()
          }
        })
      },
      count: () => ofDrizzle.prepare('select count(*) from person').pluck().get() as number,
      close: () => ofDrizzle.close(),
    },
    {
      name: 'Knex: batchInsert()',
      async prepare(given, unique) {
        for (const text of [
          'pragma journal_mode = wal',
          'pragma synchronous = normal',
          'pragma temp_store = memory',
          'drop table if exists person',
          table.ddl('sqlite'),
          ...(unique ? ['create unique index person_email on person (email)'] : []),
        ])
          await knexDb.raw(text)
        if (given.length > 0) await knexDb.batchInsert('person', given as any, 500)
      },
      insert: (rows, mode) =>
        mode === 'insert'
          ? knexDb.batchInsert('person', rows as any, 500)
          : knexDb.transaction(async (trx) => {
              for (const some of chunks(rows, 500)) {
                const clause = trx('person')
                  .insert(some as any)
                  .onConflict(mode === 'skip' ? (undefined as never) : 'id')
                await (mode === 'skip' ? clause.ignore() : clause.merge())
              }
            }),
      async count() {
        const [row] = await knexDb('person').count({ n: '*' })
        return Number(row!['n'])
      },
      close: () => knexDb.destroy(),
    },
  ]
}

export const duckdbValues = '@duckdb/node-api, multi-row VALUES by hand'

/** Everybody on DuckDB, in files of their own. */
export async function duckdbBulkContenders(
  file: (name: string) => string,
  table: BulkTable,
): Promise<BulkContender[]> {
  const dialect = (name: string): DuckDBDialect => new DuckDBDialect({ path: file(name) })
  return [
    await rawDuckDB(file('raw.duckdb'), table),
    throughKysely(
      'Kysely: Keelson',
      new Kysely<any>({ dialect: dialect('ours.duckdb') }),
      table,
      ours(table),
      'duckdb',
    ),
    throughKysely(
      'Kysely: values()',
      new Kysely<any>({ dialect: dialect('values.duckdb') }),
      table,
      valuesInChunks(table),
      'duckdb',
    ),
    await valuesOnDuckDB(file('raw-values.duckdb'), table),
  ]
}

/** A table function by hand, with the types of the columns known beforehand. */
async function rawDuckDB(path: string, table: BulkTable): Promise<BulkContender> {
  const instance = await duckdb.DuckDBInstance.create(path)
  const connection = await instance.connect()
  const types = table.columns.map((name) =>
    ['id', 'age', 'visits'].includes(name)
      ? duckdb.INTEGER
      : ['score', 'balance'].includes(name)
        ? duckdb.DOUBLE
        : duckdb.VARCHAR,
  )
  let source: readonly BulkRow[] = []
  connection.registerTableFunction(
    duckdb.DuckDBTableFunction.create({
      name: 'bench_rows',
      parameterTypes: [],
      bindFunction(info) {
        for (const [at, name] of table.columns.entries()) info.addResultColumn(name, types[at]!)
        info.setCardinality(source.length, true)
      },
      initFunction: (info) => info.setInitData({ position: 0 }),
      mainFunction(info, output) {
        const state = info.initData as { position: number }
        const count = Math.min(2_048, source.length - state.position)
        output.rowCount = count
        if (count === 0) return
        for (const [at, name] of table.columns.entries()) {
          const vector = output.getColumnVector(at)
          for (let row = 0; row < count; row++)
            vector.setItem(row, source[state.position + row]![name] as never)
          vector.flush()
        }
        state.position += count
      },
    }),
  )
  const insert = async (rows: readonly BulkRow[], mode: Mode): Promise<void> => {
    await connection.run('begin')
    for (const some of chunks(rows, 20_480)) {
      source = some
      await connection.run(
        `insert into person (${table.columns.join(', ')}) select * from bench_rows()${conflictClause(table, mode)}`,
      )
    }
    await connection.run('commit')
  }
  return onDuckDB('@duckdb/node-api, table function by hand', instance, connection, table, insert)
}

/** What people write with the client alone: many rows of parameters in one statement. */
async function valuesOnDuckDB(path: string, table: BulkTable): Promise<BulkContender> {
  const instance = await duckdb.DuckDBInstance.create(path)
  const connection = await instance.connect()
  const { columns } = table
  const insert = async (rows: readonly BulkRow[], mode: Mode): Promise<void> => {
    await connection.run('begin')
    for (const some of chunks(rows, chunk)) {
      const values = some.flatMap((row) => columns.map((name) => row[name]!))
      const tuples = some.map(
        (_, row) =>
          `(${columns.map((__, column) => `$${row * columns.length + column + 1}`).join(', ')})`,
      )
      await connection.run(
        `insert into person (${columns.join(', ')}) values ${tuples.join(', ')}${conflictClause(table, mode)}`,
        values,
      )
    }
    await connection.run('commit')
  }
  return onDuckDB(duckdbValues, instance, connection, table, insert)
}

/** A contender that has a client of its own, told by how it inserts. */
function onDuckDB(
  name: string,
  instance: duckdb.DuckDBInstance,
  connection: duckdb.DuckDBConnection,
  table: BulkTable,
  insert: (rows: readonly BulkRow[], mode: Mode) => Promise<void>,
): BulkContender {
  return {
    name,
    async prepare(given, unique) {
      await connection.run('drop table if exists person')
      await connection.run(table.ddl('duckdb'))
      if (unique) await connection.run('create unique index person_email on person (email)')
      if (given.length > 0) await insert(given, 'insert')
    },
    insert,
    async count() {
      const reader = await connection.runAndReadAll('select count(*)::int from person')
      return Number(reader.getRows()[0]![0])
    },
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

/** Everybody on PostgreSQL, in tables of databases of their own. */
export async function postgresqlBulkContenders(
  createDatabase: () => Promise<string>,
  table: BulkTable,
): Promise<BulkContender[]> {
  const kysely = async (): Promise<Kysely<any>> =>
    new Kysely<any>({ dialect: new PostgresDialect({ pool: await newPool(createDatabase) }) })
  return [
    throughKysely('Kysely: values()', await kysely(), table, valuesInChunks(table), 'postgresql'),
    throughKysely('Kysely: Keelson', await kysely(), table, ours(table), 'postgresql'),
  ]
}

async function newPool(createDatabase: () => Promise<string>): Promise<Pool> {
  const pool = new Pool({ connectionString: await createDatabase(), max: 2 })
  pool.on('error', () => {})
  return pool
}
