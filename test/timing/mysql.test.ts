/** What timing tells of MySQL alone, through Kysely and through Drizzle. */
import { setTimeout as delay } from 'node:timers/promises'
import {
  type AuditEntry,
  auditSink,
  createTiming,
  queryContext,
  type QueryEvent,
  type Signal,
  type Timing,
} from '@keelson/timing'
import { withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { withTiming } from '@keelson/timing/kysely'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/mysql2'
import { Kysely, MysqlDialect, sql } from 'kysely'
import { createPool, type Pool } from 'mysql2'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMysqlDatabase, hasMysql } from '../support/mysql.ts'
import { rejection } from '../support/rejection.ts'

if (!hasMysql)
  console.warn('KEELSON_MYSQL_URL names no server: nothing of timing is tested on MySQL.')

async function newPool(max: number): Promise<Pool> {
  const pool = createPool({ uri: await createMysqlDatabase(), connectionLimit: max })
  onTestFinished(async () => {
    await pool
      .promise()
      .end()
      .catch(() => {})
  })
  return pool
}

type Run = (text: string) => Promise<unknown>

const hosts = {
  Kysely(pool: Pool, timing: Timing): Run {
    const db = new Kysely<unknown>({
      dialect: withTiming(new MysqlDialect({ pool }), timing, { pool }),
    })
    return (text) => sql.raw(text).execute(db)
  },
  Drizzle(pool: Pool, timing: Timing): Run {
    const db = withDrizzleTiming(drizzle({ client: pool }), timing)
    return (text) => db.execute(drizzleSql.raw(text))
  },
}

describe.skipIf(!hasMysql).for(Object.keys(hosts) as (keyof typeof hosts)[])(
  'timing of MySQL through %s',
  (host) => {
    async function open(max = 4) {
      const events: QueryEvent[] = []
      const signals: Signal[] = []
      const entries: AuditEntry[] = []
      const timing = createTiming({
        plans: { minCalls: 1, minTotalMs: 0 },
        sinks: [
          { query: (event) => events.push(event), signal: (signal) => signals.push(signal) },
          auditSink((told) => entries.push(...told)),
        ],
      })
      const pool = await newPool(max)
      const run = hosts[host](pool, timing)
      await run('create table item (id integer primary key, name varchar(50))')
      events.length = 0
      entries.length = 0
      return { timing, pool, run, events, signals, entries }
    }

    test('tells rows, affected rows, the engine and its pool', async () => {
      const { run, events, entries, timing } = await open()
      await run("insert into item values (1, 'a'), (2, 'b')")
      await run('select * from item')
      await run("update item set name = 'c' where id = 1")
      const told = events.map(({ system, rows, affectedRows, outcome }) => [
        system,
        rows,
        affectedRows,
        outcome,
      ])
      expect(told).toEqual([
        ['mysql', 0, 2, 'ok'],
        ['mysql', 2, undefined, 'ok'],
        ['mysql', 0, 1, 'ok'],
      ])
      expect(entries.map(({ operation, affectedRows }) => [operation, affectedRows])).toEqual([
        ['INSERT', 2],
        ['UPDATE', 1],
      ])
      expect(timing.report().databases).toMatchObject([{ system: 'mysql', pool: { max: 4 } }])
    })

    test('names an error by the code of the engine, and leaves it as it is', async () => {
      const { run, events, timing, pool } = await open()
      await run("insert into item values (1, 'a')")
      const plain = await rejection(pool.promise().query("insert into item values (1, 'a')"))
      const error = await rejection(run("insert into item values (1, 'a')"))
      const own = (error['code'] === undefined ? error.cause : error) as typeof error
      expect([own['errno'], own['code'], own.constructor]).toEqual([
        plain['errno'],
        plain['code'],
        plain.constructor,
      ])
      expect(queryContext(error)).toMatchObject({ summary: 'INSERT item' })
      expect(events.at(-1)).toMatchObject({
        outcome: 'error',
        errorType: 'ER_DUP_ENTRY',
        errorClass: 'constraint',
      })
      const insert = timing.report().queries.find(({ operation }) => operation === 'INSERT')
      expect(insert).toMatchObject({ calls: 2, errors: 1, errorCategories: { unique: 1 } })
    })

    test('keeps strings in double quotes, and what a backslash hides, out of fingerprints', async () => {
      const { run, timing } = await open()
      await run(`insert into item values (1, "secret 'one'")`)
      await run(String.raw`insert into item values (2, 'secret \' two')`)
      const texts = timing.report().queries.map(({ text }) => text)
      expect(texts.filter((text) => text.startsWith('insert'))).toEqual([
        'insert into item values (?+)',
      ])
      expect(JSON.stringify(timing.report())).not.toContain('secret')
    })

    test('asks for no plan, which it cannot read there, and tells of no failure', async () => {
      const { run, timing } = await open()
      await run("select * from item where name = 'a'")
      await timing.settled()
      const { findings, queries } = timing.report()
      expect(findings).toEqual([])
      expect(queries.every(({ plan }) => plan === undefined)).toBe(true)
    })

    test('tells of a pool that is stuck', async () => {
      const { run, pool, signals } = await open(1)
      const connection = await pool.promise().getConnection()
      const waiting = run('select 1')
      for (let waited = 0; signals.length === 0 && waited < 100; waited++) await delay(100)
      expect(signals).toMatchObject([
        { type: 'pool_saturated', evidence: { share: 1, max: 1, pending: 1 } },
      ])
      connection.release()
      await waiting
    })
  },
)
