import { describeError } from '@keelson/core'
import { revertPlan } from '@keelson/indexes'
import { describe, expect, it } from 'vitest'
import { databases } from './schema-databases.ts'
import { adding, altering, index, posts, unique, users, without } from './tables.ts'

describe.each(Object.entries(databases))('on %s', (_, open) => {
  it('creates tables and indexes, and finds nothing to do afterwards', async () => {
    const database = await open()
    const tables = [
      posts({ indexes: [index('author')] }),
      users({ indexes: [unique('email'), index('age')] }),
    ]
    const plan = await database.diffSchema(tables)
    expect(plan.steps.map(({ kind, table }) => `${kind} ${table}`).slice(0, 2)).toEqual([
      'createTable users',
      'createTable posts',
    ])
    const report = await database.applyPlan(plan)
    expect(report).toMatchObject({ applied: plan.steps.length, skipped: 0 })
    const second = await database.diffSchema(tables)
    expect(second.steps).toEqual([])
    expect(second.fingerprint).toBe(report.fingerprint)
    await database.sql(
      `insert into users (id, email) values (1, 'a@b.c')`,
      'insert into posts (id, author) values (1, 1)',
    )
    await database.applyPlan(revertPlan(plan), { allowDrop: true })
    expect(await database.introspect()).toEqual([])
  })

  it('alters a table that others refer to, and keeps their rows', async () => {
    const database = await open()
    const before = [users({ indexes: [index('age')] }), posts()]
    await database.ensureTables(before)
    await database.sql(
      `insert into users (id, email, age) values (1, 'a@b.c', 3), (2, 'b@b.c', 3)`,
      'insert into posts (id, author) values (1, 1), (2, 2)',
    )
    const wide = { name: 'age', type: { kind: 'integer' }, nullable: false } as const
    // DuckDB only adds columns to a table that another one refers to.
    const isDuckDB = database.engine === 'duckdb'
    const table = isDuckDB
      ? adding(users({ indexes: [index('age')] }), {
          name: 'note',
          type: { kind: 'string' },
          nullable: true,
        })
      : adding(altering(users({ indexes: [index('age'), index('name')] }), wide), {
          name: 'note',
          type: { kind: 'string' },
          nullable: true,
        })
    const schema = await database.introspect()
    const plan = await database.diffSchema([table, posts()])
    const report = await database.applyPlan(plan)
    expect(report.applied).toBe(plan.steps.length)
    expect((await database.diffSchema([table, posts()])).steps).toEqual([])
    expect(await database.sql('select id, author from posts order by id')).toHaveLength(2)
    expect(await database.sql('select id, age from users order by id')).toHaveLength(2)
    if (isDuckDB) return
    await database.applyPlan(revertPlan(plan), { allowDrop: true })
    expect(await database.introspect()).toEqual(schema)
    expect(await database.sql('select id, author from posts order by id')).toHaveLength(2)
  })

  it('alters a column beside a unique index that stays, and undoes it', async () => {
    const database = await open()
    const before = users({ indexes: [unique('name'), index('age')] })
    await database.ensureTables([before])
    await database.sql(`insert into users (id, email, name, age) values (1, 'a@b.c', 'a', 3)`)
    const schema = await database.introspect()
    const after = altering(before, { name: 'age', type: { kind: 'int32' }, nullable: false })
    const plan = await database.diffSchema([after])
    await database.applyPlan(plan)
    expect((await database.diffSchema([after])).steps).toEqual([])
    const again = database.sql(
      `insert into users (id, email, name, age) values (2, 'b@b.c', 'a', 3)`,
    )
    const error = await again.catch((thrown: unknown) => thrown)
    expect(describeError(error).category).toBe('unique')
    await database.applyPlan(revertPlan(plan), { allowDrop: true })
    expect(await database.introspect()).toEqual(schema)
    expect(await database.sql('select name, age from users')).toEqual([{ name: 'a', age: 3 }])
  })

  it('drops a column when it may, and not before', async () => {
    const database = await open()
    const before = users({ indexes: [index('age')] })
    await database.ensureTables([before])
    await database.sql(`insert into users (id, email, age) values (1, 'a@b.c', 3)`)
    const plan = await database.diffSchema([without(users(), 'age')])
    await expect(database.applyPlan(plan)).rejects.toMatchObject({ code: 'DESTRUCTIVE_STEP' })
    expect((await database.diffSchema([before])).steps).toEqual([])
    await database.applyPlan(plan, { allowDrop: true })
    expect((await database.diffSchema([without(users(), 'age')])).steps).toEqual([])
  })
})
