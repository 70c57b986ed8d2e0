import type { PortableType, ScalarType } from '@keelson/indexes'
import fc from 'fast-check'
import type { Kysely } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import { arbitraryLiteral, arbitraryType } from './arbitrary-table.ts'
import {
  creating,
  type LiveEngine,
  liveEngines,
  openDatabase,
  placeholders,
  rowsOf,
  run,
  tableOf,
} from './fixture.ts'

describe.each(liveEngines)('values on %s', (engine) => {
  let db: Kysely<any>
  beforeAll(async () => {
    db = await openDatabase(engine, { int64: 'bigint' })
  })
  afterAll(() => db.destroy())

  it('come back exactly as they were, for every portable type', async () => {
    const numRuns = runs(60, 1000)
    await fc.assert(
      fc.asyncProperty(fc.array(typedValue, { minLength: 1, maxLength: 8 }), async (values) => {
        const types = Object.fromEntries(values.map(({ type }, at) => [`c${at}`, type]))
        const trx = await db.startTransaction().execute()
        try {
          await run(trx, ...creating(tableOf('sample', types), engine))
          const insert = `insert into sample values (${placeholders(engine, values.length)})`
          await rowsOf(
            trx,
            insert,
            values.map(({ type, value }) => bound(type, value, engine)),
          )
          await rowsOf(
            trx,
            insert,
            values.map(() => null),
          )
          const [row, empty] = await rowsOf(
            trx,
            `select ${values.map(selected(engine)).join(', ')} from sample order by c0 is null`,
          )
          const read = values.map(({ type }, at) => normal(type, row[`c${at}`], engine))
          expect(read).toEqual(values.map(({ value }) => value))
          expect(Object.values(empty)).toEqual(values.map(() => null))
        } finally {
          await trx.rollback().execute()
        }
      }),
      { seed, numRuns },
    )
    record('indexes-values', { [engine]: { rows: numRuns } })
  })
})

interface TypedValue {
  readonly type: PortableType
  readonly value: unknown
}

const moment = fc
  .date({
    min: new Date('1000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  })
  .map((date) => date.toISOString())

const json = fc
  .jsonValue({ maxDepth: 3, stringUnit: 'grapheme' })
  // PostgreSQL keeps no NUL, and no engine the sign of zero.
  .filter((value) => !JSON.stringify(value).includes('\\u0000'))
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll(/-0(?=[,\]}]|$)/g, '0')) as unknown)

function valueOf(type: PortableType): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'array':
      return fc.array(valueOf(type.of), { maxLength: 4 })
    case 'json':
      return json.filter((value) => value !== null)
    case 'blob':
      return fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('hex'))
    case 'datetime':
      return moment
    case 'date':
      return moment.map((text) => text.slice(0, 10))
    case 'bigint':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'string':
      return arbitraryLiteral(type)!.map((text) =>
        Array.from(String(text)).slice(0, type.maxLength).join(''),
      )
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
    default:
      return arbitraryLiteral(type)!
  }
}

/** A text of bytes is no type of JSON, which is what SQLite keeps arrays as. */
const typedValue: fc.Arbitrary<TypedValue> = arbitraryType
  .filter(
    (type) => !(type.kind === 'array' && (type.of.kind === 'blob' || type.of.kind === 'json')),
  )
  .chain((type) => valueOf(type).map((value) => ({ type, value })))

/** What a user binds for the value. */
function bound(type: PortableType, value: unknown, engine: LiveEngine): unknown {
  if (type.kind === 'array') {
    const items = (value as unknown[]).map((item) => boundItem(type.of, item, engine))
    return engine === 'sqlite' ? JSON.stringify(items) : items
  }
  if (type.kind === 'json') return JSON.stringify(value)
  if (type.kind === 'blob') return Buffer.from(String(value), 'hex')
  return value
}

function boundItem(type: ScalarType, value: unknown, engine: LiveEngine): unknown {
  return type.kind === 'bigint' && engine !== 'duckdb' ? String(value) : value
}

/** pg makes inexact numbers of decimals in an array. */
function selected(engine: LiveEngine): (value: TypedValue, at: number) => string {
  return ({ type }, at) =>
    engine === 'postgresql' && type.kind === 'array' && type.of.kind === 'decimal'
      ? `c${at}::text[]`
      : `c${at}`
}

/** One form for what drivers give. */
function normal(type: PortableType, read: unknown, engine: LiveEngine): unknown {
  switch (type.kind) {
    case 'array': {
      const items = (typeof read === 'string' ? JSON.parse(read) : read) as readonly unknown[]
      return items.map((item) => normal(type.of, item, engine))
    }
    case 'json':
      return engine === 'sqlite' ? (JSON.parse(String(read)) as unknown) : read
    case 'blob':
      return Buffer.from(read as Uint8Array).toString('hex')
    case 'datetime':
      return read instanceof Date ? read.toISOString() : isoOf(String(read))
    case 'date':
      return read instanceof Date ? localDate(read) : read
    case 'bigint':
      return BigInt(read as bigint)
    case 'boolean':
      return typeof read === 'boolean' ? read : Boolean(Number(read))
    case 'int32':
    case 'integer':
    case 'number':
      return Number(read)
    default:
      return read
  }
}

function isoOf(text: string): string {
  return new Date(text.endsWith('Z') ? text : `${text.replace(' ', 'T')}Z`).toISOString()
}

/** pg reads a date as its midnight here. */
function localDate(date: Date): string {
  const two = (part: number): string => String(part).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}
