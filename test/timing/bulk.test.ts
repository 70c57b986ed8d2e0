import { createWriteBuffer as onDrizzle } from '@keelson/bulk-insert/drizzle'
import { createWriteBuffer as onKysely } from '@keelson/bulk-insert/kysely'
import { type AuditEntry, auditSink, type QueryEvent, type Timing } from '@keelson/timing'
import { withTiming } from '@keelson/timing/drizzle'
import { attach } from '@keelson/timing/kysely'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ambient, type Db, Database, pairs, type Table } from '../bulk-insert/engines.ts'
import { rejection } from '../support/rejection.ts'
import { listening } from './listening.ts'

const table = { columns: { id: 'int primary key', n: 'int' } }
const rows = (first: number, last: number): { id: number; n: number }[] =>
  Array.from({ length: last - first + 1 }, (_, at) => ({ id: first + at, n: at }))

/** `attach()` sees no transaction of PGlite's, and under Drizzle a savepoint of postgres.js is its client's. */
const unseen = new Set(['Kysely, PGlite', 'Drizzle, postgres.js'])
const plain = pairs.filter(({ name }) => !unseen.has(name))

describe.each([...plain, ...pairs.map(ambient)].map((pair) => ({ ...pair, pair })))(
  'rows in bulk are measured: $name, ambient: $isAmbient',
  ({ pair }) => {
    if (pair.isMissing) return test.skip('its server is not here', () => {})
    let database: Database
    let item: Table
    let timing: Timing
    let entries: AuditEntry[]
    let queries: () => QueryEvent[]

    beforeEach(async () => {
      const heard = listening()
      timing = heard.timing
      queries = heard.queries
      const { db, close } = await pair.open(pair.isAmbient)
      onTestFinished(() => void close())
      const timed = pair.orm === 'kysely' ? attach(db, timing) : withTiming(db, timing)
      database = new Database(pair, timed)
      item = await database.create('item', table)
      entries = []
      timing.addSink(auditSink((told) => entries.push(...told)))
      heard.forget()
    })

    const sum = (of: readonly AuditEntry[]): number =>
      of.reduce((total, { affectedRows = 0 }) => total + affectedRows, 0)

    test('each batch once, with its rows, on whose behalf and in which transaction', async () => {
      await timing.scope('import', { actor: 'ada' }, () =>
        database.bulk(item, rows(1, 3_000), { batchRows: 1_000 }),
      )
      const events = queries().filter(
        ({ fp }) => fp!.tables.includes('item') && fp!.operation !== 'SELECT',
      )
      expect(events.every(({ kind, outcome }) => kind === 'bulk' && outcome === 'ok')).toBe(true)
      expect(events.reduce((total, { bulkRows = 0 }) => total + bulkRows, 0)).toBe(3_000)
      const told = entries.map(({ tables, isKept, actor }) => [tables, isKept, actor].join(' '))
      expect(new Set(told)).toEqual(new Set(['item true ada']))
      expect(sum(entries)).toBe(3_000)
      const [transaction, ...others] = new Set(entries.map((entry) => entry.transaction))
      expect(transaction).toBeTypeOf('number')
      expect(others).toEqual([])
      // No loop of the caller's: what is sent again and again is his one call.
      const types = timing.report().signals.map(({ type }) => type)
      expect(types.filter((type) => type === 'nplusone' || type === 'duplicate')).toEqual([])
    })

    test('one that fails, and what it takes along', async () => {
      await database.bulk(item, rows(2_500, 2_500))
      entries.length = 0
      const before = timing.report().totals.errors
      await rejection(database.bulk(item, rows(1, 3_000), { batchRows: 1_000 }))
      expect(timing.report().totals.errors).toBeGreaterThan(before)
      expect(entries.length).toBeGreaterThan(0)
      expect(entries.filter(({ isKept }) => isKept)).toEqual([])
      expect(await database.count('item')).toBe(1)
    })

    test('one that leaves a row out keeps the others', async () => {
      await database.bulk(item, rows(77, 77))
      entries.length = 0
      await database.bulk(item, rows(1, 100), { atomic: false, onRejected: 'collect' })
      expect(await database.count('item')).toBe(100)
      expect(sum(entries.filter(({ isKept }) => isKept))).toBe(99)
      expect(entries.some(({ isKept }) => !isKept)).toBe(true)
    })

    test('in a transaction of the caller that goes on without it', async () => {
      if (!database.traits.hasSavepoints || pair.isSync) return
      const work = async (on: Db): Promise<void> => {
        await database.bulk(item, rows(1, 10), {}, on)
        await rejection(database.bulk(item, rows(5, 3_000), { batchRows: 4 }, on))
        await rejection(database.bulk(item, rows(11, 30).concat(rows(1, 1)), { batchRows: 10 }, on))
      }
      if (pair.isAmbient === true) await database.ambient(() => work(database.db))
      else await database.transaction(work)
      expect(await database.count('item')).toBe(10)
      expect(sum(entries.filter(({ isKept }) => isKept))).toBe(10)
      expect(entries.some(({ isKept }) => !isKept)).toBe(true)
      expect(new Set(entries.map((entry) => entry.transaction)).size).toBe(1)
    })

    test('what a write buffer sends', async () => {
      const open = pair.orm === 'kysely' ? onKysely : (onDrizzle as unknown as typeof onKysely)
      const buffer = open(database.db, item as never, {})
      await buffer.addMany(rows(1, 50))
      await buffer.close()
      expect(sum(entries.filter(({ isKept }) => isKept))).toBe(50)
      expect(new Set(entries.map(({ tables }) => tables.join()))).toEqual(new Set(['item']))
    })
  },
)
