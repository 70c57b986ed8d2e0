import { createWriteBuffer } from '@keelson/bulk-insert/drizzle'
import { transaction, withTransactions } from '@keelson/transactions/drizzle'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import {
  type DriverUnderTest,
  nodePostgresPool,
  open,
  ourDuckDB,
  ourSqlite,
} from '../../transactions/drizzle/drivers.ts'

const betterSqlite3: DriverUnderTest = {
  ...ourSqlite,
  name: 'better-sqlite3',
  open(options) {
    const client = new Database(':memory:')
    onTestFinished(() => void client.close())
    return drizzle(client, options)
  },
}

describe.each([ourSqlite, betterSqlite3, nodePostgresPool, ourDuckDB])(
  'a write buffer through Drizzle on $name',
  (driver) => {
    test('writes what is added, and tells each row its fate', async () => {
      const { db, table, names } = await open(driver)
      const buffer = createWriteBuffer(db, table, { lingerMs: 1 })
      onTestFinished(async () => void (await buffer.close()))
      const fates = await Promise.all(['a', 'b'].map((name) => buffer.add({ name })))
      expect(fates).toEqual([{ status: 'written' }, { status: 'written' }])
      const refused = buffer.add({ name: 'a' })
      const kept = buffer.add({ name: 'c' })
      expect((await rejection(refused)).message).toMatch(/unique|duplicate/i)
      expect(await kept).toEqual({ status: 'written' })
      expect(await names()).toBe('a,b,c')
      expect(buffer.stats).toMatchObject({ accepted: 4, written: 3, rejected: 1, pending: 0 })
    })

    // A synchronous transaction is over before a row of it could be waited for.
    test.skipIf(driver === betterSqlite3)(
      'takes a row that was added in a transaction once that is committed',
      async () => {
        const { db, table, names } = await open(driver)
        const buffer = createWriteBuffer(withTransactions(db), table, { lingerMs: 1 })
        onTestFinished(async () => void (await buffer.close()))
        let kept: Promise<unknown> | undefined
        await transaction(db, async () => {
          kept = buffer.add({ name: 'kept' })
        })
        await kept
        let dropped: Promise<Error> | undefined
        await transaction(db, async () => {
          dropped = rejection(buffer.add({ name: 'dropped' }))
          throw new Error('no')
        }).catch(() => {})
        expect((await dropped)!.name).toBe('RowDroppedError')
        expect(await names()).toBe('kept')
      },
    )
  },
)
