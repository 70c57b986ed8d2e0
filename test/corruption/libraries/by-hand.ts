import { DuckDBInstance } from '@duckdb/node-api'
import BetterSqlite3 from 'better-sqlite3'
import type { EngineKind } from '../engines/place.ts'
import type { AsyncDriver, Handle, Row, Store, TransactionHandle } from '../store.ts'
import { openPool } from './pool.ts'

/** The engine's client without any library, with `begin`, `commit` and `rollback` as its documentation shows them. */
export const byHand: Readonly<Partial<Record<EngineKind, readonly AsyncDriver[]>>> = {
  SQLite: [
    {
      name: 'better-sqlite3',
      async open({ location }) {
        const db = new BetterSqlite3(location)
        const send = async (sql: string, ...parameters: string[]): Promise<Row[]> => {
          const statement = db.prepare<string[], Row>(sql)
          if (statement.reader) return statement.all(...parameters)
          statement.run(...parameters)
          return []
        }
        return oneConnection(send, '?', async () => void db.close())
      },
    },
  ],
  PostgreSQL: [
    {
      name: 'pg',
      async open({ location }, settings) {
        const pool = openPool(location, settings)
        const send = async (sql: string, ...parameters: string[]): Promise<Row[]> =>
          (await pool.query<Row>(sql, parameters)).rows
        const inPool = async <R>(fn: (handle: TransactionHandle) => Promise<R>): Promise<R> => {
          const client = await pool.connect()
          try {
            return await transactionOn(
              async (sql, ...parameters) => (await client.query<Row>(sql, parameters)).rows,
              '$1',
              fn,
            )
          } finally {
            client.release()
          }
        }
        return {
          ...handleOf(send, '$1'),
          transaction: inPool,
          nesting: inPool,
          close: () => pool.end(),
        }
      },
    },
  ],
  DuckDB: [
    {
      name: '@duckdb/node-api',
      async open({ location }) {
        const instance = await DuckDBInstance.create(location)
        const connection = await instance.connect()
        const send = async (sql: string, ...parameters: string[]): Promise<Row[]> =>
          (await connection.runAndReadAll(sql, parameters)).getRowObjectsJS()
        return oneConnection(send, '$1', async () => {
          connection.closeSync()
          instance.closeSync()
        })
      },
    },
  ],
}

type Send = (sql: string, ...parameters: string[]) => Promise<Row[]>

function oneConnection(send: Send, placeholder: string, close: () => Promise<void>): Store {
  return {
    ...handleOf(send, placeholder),
    transaction: (fn) => transactionOn(send, placeholder, fn),
    nesting: (fn) => transactionOn(send, placeholder, fn),
    close,
  }
}

function handleOf(send: Send, placeholder: string): Handle {
  return {
    insert: (v) => send(`insert into t (v) values (${placeholder})`, v),
    execute: (sql) => send(sql),
  }
}

async function transactionOn<R>(
  send: Send,
  placeholder: string,
  fn: (handle: TransactionHandle) => Promise<R>,
): Promise<R> {
  await send('begin')
  try {
    const result = await fn({
      ...handleOf(send, placeholder),
      nested: (inner) => transactionOn(send, placeholder, inner),
    })
    await send('commit')
    return result
  } catch (error) {
    await send('rollback')
    throw error
  }
}
