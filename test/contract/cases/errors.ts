import { describeError, type ErrorDescription } from '@keelson/core'
import { DrizzleQueryError } from 'drizzle-orm'
import { expect } from 'vitest'
import { rejectionOf, type Contract } from '../contract.ts'
import type { Store } from '../orm.ts'

interface Breach {
  readonly name: string
  readonly expected: Partial<ErrorDescription>
  /** Also expected where the engine names what is wrong. */
  readonly named?: Partial<ErrorDescription>
  run(db: Store): Promise<unknown>
}

/** What the engine refuses arrives as the engine's own error, and `describeError` says what it is. */
export function errorCases({ it, open, engine, orm }: Contract): void {
  const openFilled = async (): Promise<Store> => {
    const db = await open()
    await db.add({ name: 'Ada', email: 'a@x' }, { name: 'Alan', email: 'b@x' })
    await db.run("insert into entry (account_id, reference, amount) values (1, 'first', 5)")
    return db
  }

  for (const { name, expected, named, run } of breaches) {
    it(
      `passes on the engine's own error for ${name}, and classifies it`,
      ['failsAlone'],
      async () => {
        const db = await openFilled()
        const before = [await db.accounts(), await db.rows('select * from entry')]

        const thrown = await rejectionOf(run(db))
        expect(orm.unwrap(thrown)).toSatisfy(engine.isEngineError)
        if (orm.name.startsWith('drizzle')) expect(thrown).toBeInstanceOf(DrizzleQueryError)
        expect(describeError(thrown)).toMatchObject({
          engine: engine.kind,
          retryable: false,
          ...expected,
        })
        if (engine.supports.constraintColumns)
          expect(describeError(thrown)).toMatchObject(named ?? {})

        expect([await db.accounts(), await db.rows('select * from entry')]).toEqual(before)
        await db.add('after')
      },
    )
  }
}

const breaches: readonly Breach[] = [
  {
    name: 'a value that must be unique and is not',
    expected: { category: 'unique' },
    named: { table: 'account', columns: ['email'] },
    run: (db) => db.add({ name: 'Eve', email: 'a@x' }),
  },
  {
    name: 'a primary key that is taken',
    expected: { category: 'unique' },
    named: { table: 'account', columns: ['id'] },
    run: (db) => db.add({ id: 1, name: 'Eve' }),
  },
  {
    name: 'a combination of columns that must be unique and is not',
    expected: { category: 'unique' },
    named: { table: 'entry', columns: ['account_id', 'reference'] },
    run: (db) => addEntry(db, { accountId: 1, reference: 'first' }),
  },
  {
    name: 'a row without a parent',
    expected: { category: 'foreignKey' },
    run: (db) => addEntry(db, { accountId: 99, reference: 'orphan' }),
  },
  {
    name: 'a deleted parent that has children',
    expected: { category: 'foreignKey' },
    run: (db) => db.run('delete from account where id = 1'),
  },
  {
    name: 'a null where there may be none',
    expected: { category: 'notNull' },
    named: { table: 'account', columns: ['name'] },
    run: (db) => db.add({ name: null as unknown as string }),
  },
  {
    name: 'a value that a check refuses',
    expected: { category: 'check' },
    run: (db) => db.setBalance(1, -1),
  },
  {
    name: 'a table that does not exist',
    expected: { category: 'missingObject' },
    run: (db) => db.rows('select * from nowhere'),
  },
  {
    name: 'a column that does not exist',
    expected: { category: 'missingObject' },
    run: (db) => db.rows('select missing from account'),
  },
  {
    name: 'a statement that is not SQL',
    expected: { category: 'syntax' },
    run: (db) => db.run('selct 1'),
  },
]

async function addEntry(
  db: Store,
  entry: { accountId: number; reference: string },
): Promise<unknown> {
  return db.query<unknown>({
    kysely: (kysely) =>
      kysely
        .insertInto('entry')
        .values({ account_id: entry.accountId, reference: entry.reference, amount: 1 })
        .execute(),
    drizzle: (drizzle, tables) => drizzle.insert(tables.entry).values({ ...entry, amount: 1 }),
  })
}
