import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { openDuckDB } from '@keelson/duckdb'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { open, value } from './fixture.ts'

describe('what is no SQL, no policy and no database', () => {
  test.for([undefined, { sql: 'select 1' }, 42])('refuses %s as SQL', async (sql) => {
    const database = await open()
    const expected = { name: 'OptionError', option: 'sql' }
    expect(await rejection(database.execute(sql as never))).toMatchObject(expected)
    expect(await rejection(() => database.stream(sql as never))).toMatchObject(expected)
  })

  test.for([{ timestmp: 'date' }, [{ timestmp: 'date' }]])(
    'refuses a misspelt policy of one statement: %j',
    async (values) => {
      const database = await open()
      const failure = await rejection(database.execute('select 1', [], { values: values as never }))
      expect(failure).toMatchObject({ code: 'UNKNOWN_OPTION', option: 'timestmp' })
      expect(failure.message).toContain('`timestamp`')
    },
  )

  test.for(['trips.csv', 'trips.json'])(
    'refuses %s, of which DuckDB would make a view',
    async (name) => {
      const path = temporaryFile(name)
      writeFileSync(path, name.endsWith('csv') ? 'a,b\n1,2\n' : '[{"a":1}]')
      expect(await rejection(openDuckDB(path))).toMatchObject({ code: 'NOT_A_DATABASE' })
    },
  )
})

test.for(['commit', 'rollback'] as const)(
  'refuses %s() inside the function of transaction(), which ends it by itself',
  async (call) => {
    const database = await open()
    await database.execute('create table t (a integer)')
    await database.transaction(async (session) => {
      await session.execute('insert into t values (1)')
      expect(await rejection(session[call]())).toMatchObject({ code: 'TRANSACTION_CONTROL' })
    })
    expect(await value(database, 'select count(*) from t')).toBe(1)
  },
)

test('lets a child process read the file that its parent reads', async () => {
  const path = temporaryFile('shared.duckdb')
  const writer = await openDuckDB(path)
  await writer.execute('create table t as select 7 as a')
  await writer.close()
  const parent = await open({ path, readOnly: true })
  expect(await value(parent, 'select a from t')).toBe(7)
  const child = fork(new URL('programs/reader.ts', import.meta.url), [path], { stdio: 'inherit' })
  expect(await once(child, 'exit')).toEqual([0, null])
})
