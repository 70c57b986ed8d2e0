import {
  createWriteBuffer,
  type WriteBuffer,
  type WriteBufferOptions,
  type WriteBufferStats,
} from '@keelson/bulk-insert/kysely'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { withTransactions } from '@keelson/transactions/kysely'
import { type Dialect, Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'
import { expect, onTestFinished } from 'vitest'
import { postgres } from '../../support/postgres.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'

export interface Tables {
  event: { id: number; body: string | null }
}

export type EventRow = Tables['event']
export type EventBuffer = WriteBuffer<EventRow>
export type EventOptions = WriteBufferOptions<Tables, 'event'>

export type EngineKind = 'sqlite' | 'postgresql' | 'duckdb'

/** Every engine, with and without the layer of transactions. */
export const setups: readonly { readonly engine: EngineKind; readonly isWrapped: boolean }[] = (
  ['sqlite', 'postgresql', 'duckdb'] as const
).flatMap((engine) => [
  { engine, isWrapped: false },
  { engine, isWrapped: true },
])

export interface OpenSetup {
  readonly engine: EngineKind
  readonly isWrapped?: boolean
  /** Stands around the driver, below the layers. */
  readonly decorate?: (dialect: Dialect) => Dialect
  readonly connectionString?: string
  readonly path?: string
  readonly busyTimeoutMs?: number
  readonly retry?: number
}

export interface Opened {
  readonly db: Kysely<Tables>
  /** What was sent, in order. */
  readonly sent: string[]
  /** The ids in the table, in the order in which they were written. */
  ids(): Promise<number[]>
  buffer(options?: EventOptions): EventBuffer
}

/** A database with an empty table: `body` must not be null, and `id` is its key. */
export async function open({
  engine,
  isWrapped = false,
  decorate = (dialect) => dialect,
  ...setup
}: OpenSetup): Promise<Opened> {
  const base = decorate(await dialectOf(engine, setup))
  const { retry } = setup
  const sent: string[] = []
  const dialect: Dialect = isWrapped
    ? withTransactions(base, retry === undefined ? {} : { defaults: { retry } })
    : base
  const db = new Kysely<Tables>({ dialect, log: ({ query }) => void sent.push(query.sql) })
  onTestFinished(() => db.destroy())
  if (engine === 'postgresql' && setup.connectionString === undefined)
    await sql`drop table if exists event`.execute(db)
  await createTable(db, engine)
  sent.length = 0
  return {
    db,
    sent,
    ids: () => idsOf(db),
    buffer: (options = {}) => {
      const buffer = createWriteBuffer(db, 'event', options)
      onTestFinished(async () => void (await buffer.close({ deadlineMs: 0 })))
      return buffer
    },
  }
}

async function createTable(db: Kysely<Tables>, engine: EngineKind): Promise<void> {
  const place =
    engine === 'sqlite'
      ? sql`place integer primary key autoincrement`
      : engine === 'duckdb'
        ? sql`place integer default nextval('places')`
        : sql`place serial`
  if (engine === 'duckdb') await sql`create sequence if not exists places`.execute(db)
  await sql`create table if not exists event (${place}, id integer not null unique, body text not null check (body <> 'refused'))`.execute(
    db,
  )
}

async function idsOf(db: Kysely<Tables>): Promise<number[]> {
  const rows = await sql<{ id: number }>`select id from event order by place`.execute(db)
  return rows.rows.map(({ id }) => Number(id))
}

/** The tests of a file run one after the other, and creating a database takes longer than most of them. */
let shared: Promise<string> | undefined

export async function createDatabase(): Promise<string> {
  return (await postgres()).createDatabase()
}

async function dialectOf(
  engine: EngineKind,
  { connectionString, path, busyTimeoutMs }: Partial<OpenSetup>,
): Promise<Dialect> {
  if (engine === 'sqlite')
    return new SqliteDialect({
      path: path ?? temporaryFile(),
      ...(busyTimeoutMs !== undefined && { busyTimeoutMs }),
    })
  if (engine === 'duckdb') return new DuckDBDialect({ path: path ?? ':memory:' })
  const pool = new Pool({
    connectionString: connectionString ?? (await (shared ??= createDatabase())),
    max: 4,
  })
  // What happens to idle connections is the pool's to hear.
  pool.on('error', () => {})
  // A connection that is in use has nobody else who listens, and pg would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  return new PostgresDialect({ pool })
}

export function row(id: number, body: string | null = `body ${id}`): EventRow {
  return { id, body }
}

export function rows(from: number, to: number): EventRow[] {
  return Array.from({ length: to - from + 1 }, (_, index) => row(from + index))
}

/** What must hold at every moment. */
export function expectBalance(stats: WriteBufferStats): void {
  const { written, rejected, lost, spilled, pending } = stats
  expect(stats).toMatchObject({ accepted: written + rejected + spilled + pending })
  expect(lost).toBeLessThanOrEqual(rejected)
  expect(Math.min(written, rejected, lost, spilled, pending)).toBeGreaterThanOrEqual(0)
}

/** A driver that fails in place of beginning or committing, when it is told to; everything else is the real one. */
export function withFaults(
  fault: (step: 'begin' | 'commit' | 'committed') => Error | undefined | Promise<Error | undefined>,
): (dialect: Dialect) => Dialect {
  return (dialect) => ({
    createAdapter: () => dialect.createAdapter(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createDriver() {
      const driver = dialect.createDriver()
      const begin = driver.beginTransaction.bind(driver)
      const commit = driver.commitTransaction.bind(driver)
      const check = async (step: 'begin' | 'commit' | 'committed'): Promise<void> => {
        const error = await fault(step)
        if (error !== undefined) throw error
      }
      driver.beginTransaction = async (connection, settings) => {
        await check('begin')
        await begin(connection, settings)
      }
      driver.commitTransaction = async (connection) => {
        await check('commit')
        await commit(connection)
        await check('committed')
      }
      return driver
    },
  })
}

export function busy(): Error {
  return Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })
}

export function connectionLost(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
}
