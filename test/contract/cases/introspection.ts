import { expect } from 'vitest'
import type { TableMetadata } from 'kysely'
import { hostileColumns, hostileTable } from '../../support/schema.ts'
import type { Contract } from '../contract.ts'
import type { Store } from '../orm.ts'

/** What the ORM lists of a database is what is in it. */
export function introspectionCases({ it, open, engine }: Contract): void {
  it('lists the tables, and views as views', ['introspection'], async () => {
    const db = await open()
    await db.run('create view rich as select * from account where balance > 100')
    const tables = await tablesOf(db)
    expect(Object.fromEntries(tables.map(({ name, isView }) => [name, isView]))).toEqual({
      account: false,
      counter: false,
      entry: false,
      [hostileTable]: false,
      rich: true,
      sample: false,
    })
  })

  it(
    'lists the columns with their types, and whether they may be null',
    ['introspection'],
    async () => {
      const db = await open()
      const tables = await tablesOf(db)
      const account = tables.find(({ name }) => name === 'account')
      expect(account?.columns.map(({ name, isNullable }) => [name, isNullable])).toEqual([
        ['id', expect.any(Boolean)],
        ['name', false],
        ['email', true],
        ['balance', false],
      ])
      expect(account?.columns.map(({ hasDefaultValue }) => hasDefaultValue).slice(1)).toEqual([
        false,
        false,
        true,
      ])
      const types = Object.fromEntries(
        tables
          .find(({ name }) => name === 'sample')
          ?.columns.map(({ name, dataType }) => [name, dataType]) ?? [],
      )
      expect(types).toMatchObject(engine.sampleTypes)
    },
  )

  it('lists names as they are, however they have to be quoted', ['introspection'], async () => {
    const db = await open()
    const hostile = (await tablesOf(db)).find(({ name }) => name === hostileTable)
    expect(hostile?.columns.map(({ name }) => name)).toEqual(['id', ...hostileColumns])
  })
}

function tablesOf(db: Store): Promise<readonly TableMetadata[]> {
  return db.query<readonly TableMetadata[]>({
    kysely: (kysely) => kysely.introspection.getTables(),
    drizzle: () => Promise.reject(new Error('Drizzle does not introspect')),
  })
}
