import { eq } from 'drizzle-orm'
import { expect } from 'vitest'
import { hostileColumns, hostileTable } from '../../support/schema.ts'
import type { Contract } from '../contract.ts'

/** A name is a name, whatever stands in it. */
export function identifierCases({ it, open }: Contract): void {
  const row = (id: number) => ({
    id,
    ...(Object.fromEntries(hostileColumns.map((name) => [name, `${name} of ${id}`])) as Record<
      (typeof hostileColumns)[number],
      string
    >),
  })

  it('writes and reads every column of a table whose names are full of quotes, keywords and placeholders', async () => {
    const db = await open()
    await db.query<unknown>({
      kysely: (kysely) =>
        kysely
          .insertInto(hostileTable)
          .values([row(1), row(2)])
          .execute(),
      drizzle: (drizzle, { hostile }) => drizzle.insert(hostile).values([row(1), row(2)]),
    })
    const all = await db.query<object[]>({
      kysely: (kysely) => kysely.selectFrom(hostileTable).selectAll().orderBy('id').execute(),
      drizzle: (drizzle, { hostile }) => drizzle.select().from(hostile).orderBy(hostile.id),
    })
    expect(all).toEqual([row(1), row(2)])
    expect(await db.names()).toEqual([])
  })

  for (const column of hostileColumns) {
    it(`finds, changes and returns by the column ${column}`, ['returning'], async () => {
      const db = await open()
      const value = `${column} of 2`
      const change = { [column]: 'changed' } as Record<typeof column, string>
      await db.query<unknown>({
        kysely: (kysely) =>
          kysely
            .insertInto(hostileTable)
            .values([row(1), row(2)])
            .execute(),
        drizzle: (drizzle, { hostile }) => drizzle.insert(hostile).values([row(1), row(2)]),
      })
      const changed = await db.query<object[]>({
        kysely: (kysely) =>
          kysely
            .updateTable(hostileTable)
            .set(change)
            .where(column, '=', value)
            .returning(['id', column])
            .execute(),
        drizzle: (drizzle, { hostile }) =>
          drizzle
            .update(hostile)
            .set(change)
            .where(eq(hostile[column], value))
            .returning({ id: hostile.id, [column]: hostile[column] }),
      })
      expect(changed).toEqual([{ id: 2, [column]: 'changed' }])
    })
  }

  it('streams a table of such a name, and reads it inside a transaction', async () => {
    const db = await open()
    await db.transaction(async (tx) => {
      await tx.query<unknown>({
        kysely: (kysely) => kysely.insertInto(hostileTable).values(row(1)).execute(),
        drizzle: (drizzle, { hostile }) => drizzle.insert(hostile).values(row(1)),
      })
      const rows: unknown[] = []
      const streamed = tx.stream<unknown>({
        kysely: (kysely) => kysely.selectFrom(hostileTable).selectAll(),
        drizzle: (drizzle, { hostile }) => drizzle.select().from(hostile),
      })
      for await (const each of streamed) rows.push(each)
      expect(rows).toEqual([row(1)])
    })
  })
}
