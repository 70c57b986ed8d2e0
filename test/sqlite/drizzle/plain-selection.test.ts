import { drizzle } from '@keelson/sqlite/drizzle'
import { eq, sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const person = sqliteTable('person', {
  id: integer().primaryKey(),
  name: text(),
  born: integer({ mode: 'timestamp' }),
})
const renamed = sqliteTable('person', { key: integer('id').primaryKey(), label: text('name') })

describe('a selection of plain columns', () => {
  let db: ReturnType<typeof drizzle>
  beforeEach(async () => {
    db = drizzle(':memory:')
    // SQLite names the column as it was declared, whatever the query writes.
    await db.run(sql`create table person (ID integer primary key, name text, born integer)`)
    await db.run(
      sql`insert into person values (1, 'Ada', unixepoch('1815-12-10')), (2, 'Grace', null)`,
    )
  })
  afterEach(() => db.$client.close())

  test('has the keys of the schema although the column was declared with other letters', async () => {
    const query = db.select({ id: person.id, name: person.name }).from(person)
    for (let time = 0; time < 3; time++) {
      expect(await query.all()).toEqual([
        { id: 1, name: 'Ada' },
        { id: 2, name: 'Grace' },
      ])
    }
  })

  test('has the keys of the schema where these are not the names of the columns', async () => {
    expect(await db.select().from(renamed).where(eq(renamed.key, 2)).all()).toEqual([
      { key: 2, label: 'Grace' },
    ])
  })

  test('decodes its values as soon as one column needs it', async () => {
    const [ada, grace] = await db.select().from(person).all()
    expect(ada!.born).toEqual(new Date('1815-12-10T00:00:00.000Z'))
    expect(grace!.born).toBeNull()
  })

  test('returns no rows where there are none', async () => {
    expect(
      await db.select({ name: person.name }).from(person).where(eq(person.id, 3)).all(),
    ).toEqual([])
  })
})
