/** Over 300 lines, being one subject: the engines under test, each under the same few words. */
import { type EngineName, KeelsonError } from '@keelson/core'
import type { ValuePolicies } from '@keelson/duckdb'
import {
  drizzle as drizzleOnDuckDB,
  type KeelsonDuckDBDatabase,
  migrate as migrateDuckDB,
  stream as streamDuckDB,
} from '@keelson/duckdb/drizzle'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { drizzle, migrate, stream, type KeelsonSqliteDatabase } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import BetterSqlite3 from 'better-sqlite3'
import type { SQL } from 'drizzle-orm'
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import type { Dialect } from 'kysely'
import { duckdbStatements, duckdbTables } from './schema-duckdb.ts'
import { sqliteStatements, sqliteTables } from './schema-sqlite.ts'

/**
 * What an engine can do or not, and what each means. One that an engine does not have stands in its `lacks` with the
 * reason, and the tests that need it are skipped under that reason.
 */
export const capabilities = {
  savepoints: 'Part of a transaction can be undone.',
  statementRollback: 'A failed statement is undone alone, and its transaction goes on.',
  autoRollback: 'A statement of the user can make the engine end the transaction by itself.',
  readOnlyTransactions: 'A transaction can be told not to write.',
  concurrentReadsDuringTransaction:
    'Others read while a transaction is open, and see what is committed.',
  concurrentStreams: 'Several streams can be open at once, and others work meanwhile.',
  oneWriter: 'One transaction writes at a time, and others wait for it.',
  deferredConstraints: 'A constraint can wait for the commit.',
  cascades: 'Deleting a parent row can delete its children.',
  transactionalDdl: '`CREATE`, `ALTER` and `DROP` are undone by a rollback.',
  insertId: 'The id that the engine gave to an inserted row is known without `RETURNING`.',
  returning: '`INSERT`, `UPDATE` and `DELETE` take `RETURNING`.',
  upsert: '`ON CONFLICT` updates or skips a row.',
  rowsOneByOne: 'A stream delivers the rows before one that fails, and then the error of that row.',
  streamingOfWrites: 'The rows of a statement that writes can be streamed.',
  constraintColumns: 'The error of a broken unique or not-null constraint names the columns.',
  nulInText: 'Text may contain the character U+0000.',
  migrationLock: 'Of two migrators at once each migration runs once.',
  files: 'A database is a file, which can be opened again after it was closed, or twice at once.',
} as const

export type Capability = keyof typeof capabilities

/** The Drizzle database of any engine, under the types of Drizzle's SQLite: the calls of its builders are the same. */
export type DrizzleDatabase = BaseSQLiteDatabase<'async', unknown, typeof sqliteTables>

/** What tests may ask for when they open a database; the names of the options are the engine's. */
export interface OpenOptions {
  /** How 64-bit integers are read. @default 'number' */
  readonly int64?: 'number' | 'bigint' | 'string'
  /** How long a statement waits for a transaction that has what it needs, in milliseconds. */
  readonly waitMs?: number
}

export interface TransactionSettings {
  readonly accessMode?: 'read only' | 'read write'
  readonly isolationLevel?: string
}

/** What a statement says of its effect; `undefined` for what it does not tell. */
export interface Written {
  readonly affected: number | undefined
  readonly insertId: number | undefined
}

export interface OpenDrizzle {
  readonly db: DrizzleDatabase
  close(): Promise<void>
}

/** What is the engine's own in Drizzle. */
export interface DrizzleDriver {
  open(path: string, options?: OpenOptions): OpenDrizzle | Promise<OpenDrizzle>
  readonly tables: typeof sqliteTables
  /** Runs a statement that returns no rows. */
  run(db: DrizzleDatabase, statement: SQL): Promise<unknown>
  rows(db: DrizzleDatabase, query: SQL): Promise<Record<string, unknown>[]>
  /** Reads what an awaited insert, update or delete without `returning()` resolves to. */
  readonly written: (result: unknown) => Written
  stream<Row>(
    db: DrizzleDatabase,
    query: { readonly _: { readonly result: Row[] } },
    options: { readonly chunkRows: number; readonly signal?: AbortSignal },
  ): AsyncIterable<Row>
  migrate(db: DrizzleDatabase, config: { readonly migrationsFolder: string }): Promise<void>
}

export interface Engine {
  readonly kind: EngineName
  /** The kind, and what is special about this one of its kind. */
  readonly name: string
  readonly supports: Readonly<Record<Capability, boolean>>
  /** Why not, for everything that `supports` denies. */
  readonly lacks: Readonly<Partial<Record<Capability, string>>>
  /** The isolation levels that a transaction may ask for. */
  readonly isolationLevels: readonly string[]
  /** Whether this is an object that the engine's client threw. */
  readonly isEngineError: (error: unknown) => boolean
  kyselyDialect(path: string, options?: OpenOptions): Dialect
  readonly drizzle: DrizzleDriver
  readonly sql: EngineSql
  /** What Kysely, which maps no values, reads back of a value that it wrote. */
  readonly kyselyReads: { flag(value: boolean): unknown; moment(value: Date): unknown }
  /** What Kysely's introspection calls the column types of `sample`. */
  readonly sampleTypes: Readonly<Record<'label' | 'whole' | 'ratio' | 'bytes', string>>
}

/** Statements and expressions for which the engines have different words. */
export interface EngineSql {
  /** Create the shared tables. */
  readonly createTables: readonly string[]
  /** The column; in the row where it has that value, the error {@link failure}. */
  failsAt(column: string, value: number): string
  readonly failure: RegExp
  /** Breaks the key of account 1 and makes the engine roll the transaction back. Needs `autoRollback`. */
  readonly rollsBack: string
}

type SqliteDrizzle = KeelsonSqliteDatabase<typeof sqliteTables>

/** @param mode where SQLite runs */
function sqliteIn(mode: 'inline' | 'threads', name: string): Omit<Engine, 'supports'> {
  const settings = (options: OpenOptions | undefined) => ({ mode, ...sqliteOptions(options) })
  return {
    kind: 'sqlite',
    name,
    lacks: {},
    isolationLevels: ['serializable'],
    isEngineError: (error) => error instanceof BetterSqlite3.SqliteError,
    kyselyDialect: (path, options) => new SqliteDialect({ path, ...settings(options) }),
    drizzle: {
      open(path, options) {
        const db = drizzle({ connection: { path, ...settings(options) }, schema: sqliteTables })
        return { db, close: async () => void (await db.$client.close()) }
      },
      tables: sqliteTables,
      run: (db, statement) => db.run(statement),
      rows: (db, query) => db.all(query),
      written(result) {
        const { changes, lastInsertRowid } = result as {
          changes: number
          lastInsertRowid: number | undefined
        }
        return { affected: changes, insertId: lastInsertRowid }
      },
      stream: (db, query, options) => stream(db as SqliteDrizzle, query, options),
      migrate: (db, config) => migrate(db as SqliteDrizzle, config),
    },
    sql: {
      createTables: sqliteStatements,
      failsAt: (column, value) =>
        `case when ${column} = ${value} then abs(-9223372036854775807 - 1) else ${column} end`,
      failure: /integer overflow/,
      rollsBack: "insert or rollback into account (id, name) values (1, 'again')",
    },
    // https://www.sqlite.org/datatype3.html: there is neither a boolean nor a date.
    kyselyReads: { flag: Number, moment: (value) => value.toISOString() },
    sampleTypes: { label: 'TEXT', whole: 'INTEGER', ratio: 'REAL', bytes: 'BLOB' },
  }
}

const sqliteRecord = sqliteIn('inline', 'sqlite')

export const sqlite: Engine = engine(sqliteRecord)

/** SQLite on threads of its own. */
export const sqliteThreads: Engine = engine(sqliteIn('threads', 'sqlite on threads'))

/** A database without a file has one connection, which does one thing after the other. */
export const sqliteMemory: Engine = engine({
  ...sqliteRecord,
  name: 'sqlite in memory',
  lacks: {
    concurrentReadsDuringTransaction: 'the only connection belongs to the transaction',
    concurrentStreams: 'the only connection belongs to the stream',
    files: 'the database ends with its connection',
  },
  kyselyDialect: (_, options) => sqliteRecord.kyselyDialect(':memory:', options),
  drizzle: {
    ...sqliteRecord.drizzle,
    open: (_, options) => sqliteRecord.drizzle.open(':memory:', options),
  },
})

type DuckDBDrizzle = KeelsonDuckDBDatabase<typeof duckdbTables>

const duckdbRecord: Omit<Engine, 'supports'> = {
  kind: 'duckdb',
  name: 'duckdb',
  lacks: {
    savepoints: 'DuckDB has no savepoints',
    statementRollback: 'a failed statement fails its transaction',
    autoRollback: 'a failed transaction stays open until it is rolled back',
    oneWriter: 'writers do not wait for each other; the second to touch a row fails',
    deferredConstraints: 'DuckDB checks each constraint at once',
    cascades: 'DuckDB has no ON DELETE CASCADE',
    insertId: 'DuckDB tells no id without RETURNING',
    rowsOneByOne:
      'DuckDB computes up to 2,048 rows at once, and its client loses the error of a stream',
    constraintColumns: 'the error of a unique constraint names no table',
  },
  isolationLevels: ['snapshot'],
  // The client throws plain errors: https://github.com/duckdb/duckdb-node-neo/issues/296
  isEngineError: (error) => error instanceof Error && !(error instanceof KeelsonError),
  kyselyDialect: (path, options) => new DuckDBDialect({ path, ...duckdbOptions(options) }),
  drizzle: {
    open(path, options) {
      const db = drizzleOnDuckDB({
        connection: { path, ...duckdbOptions(options) },
        schema: duckdbTables,
      })
      return {
        db: db as unknown as DrizzleDatabase,
        close: async () => void (await db.$client.close()),
      }
    },
    // The calls of Drizzle's builders are those of the SQLite tables, for which the cases are typed.
    tables: duckdbTables as unknown as typeof sqliteTables,
    run: (db, statement) => onDuckDB(db).execute(statement),
    rows: async (db, query) => (await onDuckDB(db).execute(query)).rows,
    written: (result) => ({
      affected: (result as { rowCount: number | undefined }).rowCount,
      insertId: undefined,
    }),
    stream: (db, query, options) => streamDuckDB(onDuckDB(db), query as never, options),
    migrate: (db, config) => migrateDuckDB(onDuckDB(db), config),
  },
  sql: {
    createTables: duckdbStatements,
    failsAt: (column, value) =>
      `case when ${column} = ${value} then error('row ${value}') else ${column} end`,
    failure: /row \d+/,
    rollsBack: '',
  },
  kyselyReads: {
    flag: (value) => value,
    moment: (value) =>
      value
        .toISOString()
        .replace('T', ' ')
        .replace(/\.?0*Z$/, ''),
  },
  sampleTypes: { label: 'VARCHAR', whole: 'INTEGER', ratio: 'DOUBLE', bytes: 'BLOB' },
}

export const duckdb: Engine = engine(duckdbRecord)

export const duckdbMemory: Engine = engine({
  ...duckdbRecord,
  name: 'duckdb in memory',
  lacks: { ...duckdbRecord.lacks, files: 'the database ends with its instance' },
  kyselyDialect: (_, options) => duckdbRecord.kyselyDialect(':memory:', options),
  drizzle: {
    ...duckdbRecord.drizzle,
    open: (_, options) => duckdbRecord.drizzle.open(':memory:', options),
  },
})

const all: readonly Engine[] = [sqlite, sqliteThreads, sqliteMemory, duckdb, duckdbMemory]

/** The engines that tests run on: all, or those that the environment names with `ENGINES=sqlite pnpm test`. */
export const engines: readonly Engine[] = selected(process.env['ENGINES']?.split(','))

function sqliteOptions({ int64, waitMs }: OpenOptions = {}): {
  int64?: 'number' | 'bigint' | 'string'
  busyTimeoutMs?: number
} {
  return { ...(int64 && { int64 }), ...(waitMs !== undefined && { busyTimeoutMs: waitMs }) }
}

function onDuckDB(db: DrizzleDatabase): DuckDBDrizzle {
  return db as unknown as DuckDBDrizzle
}

function duckdbOptions({ int64, waitMs }: OpenOptions = {}): {
  int64?: ValuePolicies['int64']
  pool?: { acquireTimeoutMs: number }
} {
  return {
    ...(int64 && { int64 }),
    ...(waitMs !== undefined && { pool: { acquireTimeoutMs: waitMs } }),
  }
}

function selected(names: readonly string[] | undefined): readonly Engine[] {
  if (names === undefined) return all
  const known = all.flatMap(({ kind, name }) => [kind, name])
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    const names = [...new Set(known)].join(', ')
    throw new Error(`ENGINES names ${unknown.join(', ')}, which is none of: ${names}.`)
  }
  return all.filter(({ kind, name }) => names.includes(kind) || names.includes(name))
}

function engine(record: Omit<Engine, 'supports'>): Engine {
  const supports = Object.fromEntries(
    Object.keys(capabilities).map((name) => [name, !(name in record.lacks)]),
  )
  return Object.freeze({
    ...record,
    supports: Object.freeze(supports as Record<Capability, boolean>),
  })
}
