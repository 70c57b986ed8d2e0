import { DuckDBInstance } from '@duckdb/node-api'
import { type EngineName, engineTraits, quoteIdentifier } from '@keelson/core'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { emptyPGlite } from '../support/pglite.ts'

const postgresql = emptyPGlite()

/** Sends statements one by one to an empty database. MySQL has no server here. */
const engines: Partial<Record<EngineName, () => Promise<(sql: string) => Promise<unknown>>>> = {
  sqlite: async () => {
    const database = new Database(':memory:')
    return async (sql) => {
      const statement = database.prepare(sql)
      return statement.reader ? Object.values(statement.get() ?? {})[0] : void statement.run()
    }
  },
  duckdb: async () => {
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    return async (sql) => (await connection.runAndReadAll(sql)).getRows()[0]?.[0]
  },
  postgresql: async () => {
    await postgresql.exec('rollback')
    return async (sql) => Object.values((await postgresql.query<object>(sql)).rows[0] ?? {})[0]
  },
}

for (const [name, open] of Object.entries(engines)) {
  const engine = name as EngineName
  const traits = engineTraits[engine]

  test(`${engine} accepts every statement that its traits name`, async () => {
    const run = await open()
    const { begin, savepoint } = traits
    const point = quoteIdentifier('a "point"', engine)
    const openers = [
      begin.default,
      ...Object.values(begin.behavior ?? {}),
      ...Object.values(begin.accessMode ?? {}),
    ]
    const refused: string[] = []
    for (const opener of openers) {
      const within = [savepoint?.create, savepoint?.rollbackTo, savepoint?.release]
      const points = within.filter((part) => part !== undefined).map((part) => `${part} ${point}`)
      for (const sql of [opener, ...points, 'rollback']) {
        await run(sql).catch(() => refused.push(sql))
      }
    }
    expect(refused).toEqual([])
  })

  test(`${engine} has savepoints if its traits have statements for them`, async () => {
    const run = await open()
    await run(traits.begin.default)
    const has = await run('savepoint a').then(
      () => true,
      () => false,
    )
    expect(traits.savepoint !== undefined).toBe(has)
  })

  test(`${engine} reads a string literal back as it was before it was escaped`, async () => {
    const run = await open()
    const text = `it's a \\ and a "quote"`
    const escaped = Array.from(text, (character) => traits.literalEscapes[character] ?? character)
    expect(await run(`select '${escaped.join('')}'`)).toBe(text)
  })

  test(`${engine} returns rows from INSERT and rolls DDL back as its traits say`, async () => {
    const run = await open()
    await run(traits.begin.default)
    await run('create table account (id integer)')
    expect(Number(await run('insert into account values (1) returning id'))).toBe(1)
    await run('rollback')
    await expect(run('select * from account')).rejects.toThrow('account')
    expect(traits).toMatchObject({ supportsReturning: true, supportsTransactionalDdl: true })
  })
}

test('sqlite takes as many parameters as its traits say and no more', () => {
  const database = new Database(':memory:')
  const { maxParameters = 0 } = engineTraits.sqlite
  expect(() => database.prepare(`select ?${maxParameters}`)).not.toThrow()
  expect(() => database.prepare(`select ?${maxParameters + 1}`)).toThrow('variable number')
})

test('cannot be changed by anybody', () => {
  expect(() => Object.assign(engineTraits, { sqlite: engineTraits.mysql })).toThrow(TypeError)
  expect(() => Object.assign(engineTraits.sqlite, { maxParameters: 1 })).toThrow(TypeError)
  expect(() => Object.assign(engineTraits.mysql.begin, { default: '' })).toThrow(TypeError)
  expect(() => Object.assign(engineTraits.sqlite.begin.behavior ?? {}, { deferred: '' })).toThrow(
    TypeError,
  )
  expect(() => Object.assign(engineTraits.duckdb.begin.accessMode ?? {}, { x: '' })).toThrow(
    TypeError,
  )
  expect(() => Object.assign(engineTraits.mysql.savepoint ?? {}, { create: '' })).toThrow(TypeError)
  expect(() => Object.assign(engineTraits.mysql.literalEscapes, { "'": '' })).toThrow(TypeError)
})

test('names each engine as it is listed', () => {
  for (const [name, traits] of Object.entries(engineTraits)) expect(traits.engine).toBe(name)
})
