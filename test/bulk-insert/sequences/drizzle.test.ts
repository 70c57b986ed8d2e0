import {
  appendEvents,
  createEventTables,
  createSequenceTable,
  nextSequence,
} from '@keelson/bulk-insert/drizzle'
import { withTransactions } from '@keelson/transactions/drizzle'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import {
  type Db,
  type DriverUnderTest,
  libsqlFile,
  mysql2Pool,
  nodePostgresPool,
  ourDuckDB,
  ourSqlite,
  pglite,
  postgresJsPool,
} from '../../transactions/drizzle/drivers.ts'

const betterSqlite3: DriverUnderTest = {
  ...ourSqlite,
  name: 'better-sqlite3',
  open() {
    const client = new Database(':memory:')
    onTestFinished(() => void client.close())
    return drizzle(client)
  },
}

const drivers = [
  ourSqlite,
  betterSqlite3,
  libsqlFile,
  pglite,
  nodePostgresPool,
  postgresJsPool,
  mysql2Pool,
  ourDuckDB,
]

for (const driver of drivers) {
  for (const isWrapped of [false, true]) {
    const name = `sequences through Drizzle on ${driver.name}${isWrapped ? ', with transactions' : ''}`
    describe.skipIf(driver.isMissing === true)(name, () => {
      async function open(): Promise<Db> {
        const db = await driver.open({ logger: { logQuery() {} }, schema: {} })
        const drop = async (table: string): Promise<void> => {
          const text = `drop table if exists ${table}`
          await (driver.kind === 'sqlite' ? db.run(text) : db.execute(text))
        }
        for (const table of ['keelson_sequence', 'keelson_event', 'keelson_stream'])
          await drop(table)
        return isWrapped ? withTransactions(db) : db
      }

      test('Q1: numbers follow each other, and a range is taken at once', async () => {
        const db = await open()
        await createSequenceTable(db)
        await createSequenceTable(db)
        expect(await nextSequence(db, 'invoice')).toBe(1)
        expect(await nextSequence(db, 'invoice', { count: 3 })).toEqual({ first: 2, last: 4 })
        expect(await nextSequence(db, 'invoice', { scope: 2026 })).toBe(1)
        expect(await nextSequence(db, 'invoice')).toBe(5)
      })

      // A synchronous transaction cannot wait for it.
      test.skipIf(driver.name === 'better-sqlite3')(
        'a rollback gives the number back',
        async () => {
          const db = await open()
          await createSequenceTable(db)
          const failure = await rejection(
            db.transaction(async (tx: Db) => {
              expect(await nextSequence(tx, 'invoice')).toBe(1)
              throw new Error('no')
            }),
          )
          expect(failure.message).toBe('no')
          expect(await nextSequence(db, 'invoice')).toBe(1)
        },
      )

      test('events are appended under the version that was expected, once', async () => {
        const db = await open()
        await createEventTables(db)
        const paid = { id: 'a', type: 'paid', data: { cents: 990 } }
        const first = await appendEvents(db, 'order-7', [paid], { expectedVersion: 'noStream' })
        expect(first).toMatchObject({ version: 1, isRepeat: false })
        const again = await appendEvents(db, 'order-7', [paid], { expectedVersion: 'noStream' })
        expect(again).toMatchObject({ version: 1, isRepeat: true })
        const conflict = await rejection(
          appendEvents(db, 'order-7', [{ type: 'sent', data: {} }], { expectedVersion: 7 }),
        )
        expect(conflict).toMatchObject({ name: 'EventConflictError', actualVersion: 1 })
        const more = [1, 2].map((n) => ({ type: 'sent', data: { n } }))
        const second = await appendEvents(db, 'order-7', more, { expectedVersion: 1 })
        expect(second.events.map(({ version }) => version)).toEqual([2, 3])
      })
    })
  }
}
