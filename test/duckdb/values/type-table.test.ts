// The table of types in the README is what this file reads and writes. UPDATE_README=1 writes it there.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DuckDBDatabase, openDuckDB, type ValuePolicies } from '@keelson/duckdb'
import { afterAll, beforeAll, expect, test } from 'vitest'

const readme = join(import.meta.dirname, '../../../packages/duckdb/README.md')
const [start, end] = ['<!-- values:start -->', '<!-- values:end -->']

let database: DuckDBDatabase
beforeAll(async () => {
  database = await openDuckDB({ path: ':memory:', settings: { TimeZone: 'UTC' } })
})
afterAll(() => database.close())

interface Entry {
  readonly types: readonly string[]
  /** What is read, in SQL. Another sample shows what the first does not. */
  readonly samples: readonly [string, ...string[]]
  readonly policies?: readonly Partial<ValuePolicies>[]
  /** All of these are the first sample, bound. */
  readonly bound: readonly unknown[]
}

const day = new Date('2026-11-21T00:00:00Z')
const instant = new Date('2026-11-21T08:15:00.500Z')

const entries: readonly Entry[] = [
  { types: ['BOOLEAN'], samples: ['true'], bound: [true, 1, 1n, 'true'] },
  {
    types: ['TINYINT', 'SMALLINT', 'INTEGER', 'UTINYINT', 'USMALLINT', 'UINTEGER'],
    samples: ['42'],
    bound: [42, 42n, '42'],
  },
  {
    types: ['BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'BIGNUM'],
    samples: ['42', '9007199254740993'],
    policies: [
      { int64: 'number' },
      { int64: 'bigint' },
      { int64: 'string' },
      { int64: 'lossyNumber' },
    ],
    bound: [42, 42n, '42'],
  },
  { types: ['FLOAT', 'DOUBLE'], samples: ['1.5', "'nan'"], bound: [1.5, '1.5'] },
  {
    types: ['DECIMAL(10, 2)'],
    samples: ['1.5'],
    policies: [{ decimal: 'string' }, { decimal: 'number' }],
    bound: [1.5, '1.50'],
  },
  { types: ['VARCHAR'], samples: ["'42'"], bound: ['42', 42, 42n] },
  { types: ['BLOB'], samples: ["'abc'"], bound: [Buffer.from('abc'), 'abc'] },
  { types: ['BIT'], samples: ["'0101'"], bound: ['0101'] },
  {
    types: ['UUID'],
    samples: ["'550e8400-e29b-41d4-a716-446655440000'"],
    bound: ['550e8400-e29b-41d4-a716-446655440000'],
  },
  { types: ["ENUM('sad', 'ok')"], samples: ["'ok'"], bound: ['ok'] },
  {
    types: ['DATE'],
    samples: ["'2026-11-21'", "'infinity'"],
    policies: [{ date: 'string' }, { date: 'date' }, { infinity: 'number' }, { infinity: 'throw' }],
    bound: ['2026-11-21', day],
  },
  {
    types: ['TIMESTAMP', 'TIMESTAMP_MS', 'TIMESTAMP_NS'],
    samples: ["'2026-11-21 08:15:00.5'"],
    policies: [{ timestamp: 'string' }, { timestamp: 'date' }],
    bound: ['2026-11-21 08:15:00.5', instant, '2026-11-21T08:15:00.500Z'],
  },
  { types: ['TIMESTAMP_S'], samples: ["'2026-11-21'"], bound: ['2026-11-21 00:00:00', day] },
  {
    types: ['TIMESTAMPTZ'],
    samples: ["'2026-11-21 08:15:00.5+00'", "'2026-11-21 08:15:00.123456+00'"],
    policies: [{ timestamp: 'string' }, { timestamp: 'date' }, { timestamp: 'lossyDate' }],
    bound: ['2026-11-21 08:15:00.5+00', '2026-11-21T09:15:00.500+01:00', instant],
  },
  {
    types: ['TIME'],
    samples: ["'08:15:00.5'"],
    policies: [{ time: 'string' }, { time: 'micros' }],
    bound: ['08:15:00.5', 29_700_500_000n],
  },
  { types: ['TIME_NS'], samples: ["'08:15:00.123456789'"], bound: ['08:15:00.123456789'] },
  { types: ['TIMETZ'], samples: ["'08:15:00+02:30'"], bound: ['08:15:00+02:30'] },
  {
    types: ['INTERVAL'],
    samples: ["'1 month -3 days'"],
    policies: [{ interval: 'object' }, { interval: 'string' }],
    bound: [{ months: 1, days: -3, micros: 0n }, '1 month -3 days'],
  },
  {
    types: ['JSON'],
    samples: [`'{"a":[1]}'`],
    policies: [{ json: 'parse' }, { json: 'string' }],
    bound: [{ a: [1] }, '{"a":[1]}'],
  },
  { types: ['INTEGER[]', 'INTEGER[2]'], samples: ['[1, null]'], bound: [[1, null]] },
  {
    types: ['STRUCT(a INTEGER, b VARCHAR)'],
    samples: ["{'a': 1, 'b': null}"],
    bound: [{ a: 1, b: null }, { a: 1 }],
  },
  {
    types: ['MAP(VARCHAR, INTEGER)'],
    samples: ["map {'a': 1}"],
    bound: [[{ key: 'a', value: 1 }], new Map([['a', 1]]), { a: 1 }],
  },
  {
    types: ['UNION(n INTEGER, t VARCHAR)'],
    samples: ["'x'::varchar"],
    bound: [{ tag: 't', value: 'x' }, 'x'],
  },
  { types: ['VARIANT'], samples: ["{'a': [1, 2]}"], bound: [{ a: [1, 2] }] },
  { types: ['GEOMETRY'], samples: ["'POINT EMPTY'"], bound: ['POINT EMPTY'] },
]

test('the README says how each type is read and bound', async () => {
  const rows = [['Type', 'Option', 'Read as', 'Can be bound']]
  for (const entry of entries) rows.push(...(await rowsOf(entry)))
  const table = `${start}\n\n${markdown(rows)}\n\n${end}`
  const text = readFileSync(readme, 'utf8')
  const [before, rest] = text.split(start)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`${readme} has no ${start} and ${end} to write between.`)
  if (process.env['UPDATE_README'] === '1') writeFileSync(readme, `${before}${table}${after}`)
  else expect(text, 'run this test with UPDATE_README=1').toContain(table)
})

async function rowsOf({ types, samples, policies = [{}], bound }: Entry): Promise<string[][]> {
  const rows: string[][] = []
  for (const values of policies) {
    const reads = new Set<string>()
    for (const type of types) {
      const read = samples.map((sample) => readAs(`(${sample})::${type}`, values))
      reads.add((await Promise.all(read)).join(', '))
    }
    const [read, ...others] = reads
    expect(others, `${types.join(', ')} are not read the same`).toEqual([])
    const option = Object.entries(values).map(([name, value]) => code(`${name}: '${value}'`))
    rows.push([
      rows.length === 0 ? types.map(code).join(' ') : '',
      option.join(', '),
      read!,
      rows.length === 0 ? bound.map((value) => code(source(value))).join(', ') : '',
    ])
  }
  for (const type of types) for (const value of bound) await checkBound(type, samples[0], value)
  return rows
}

async function readAs(expression: string, values: Partial<ValuePolicies>): Promise<string> {
  try {
    const { rows } = await database.execute(`select ${expression} as c`, [], { values })
    return code(source(rows[0]?.['c']))
  } catch (error) {
    return `throws ${code((error as Error).name)}`
  }
}

async function checkBound(type: string, sample: string, value: unknown): Promise<void> {
  await database.execute(`create or replace table t (c ${type})`)
  await database.execute('insert into t values ($1)', [value])
  const { rows } = await database.execute(`select c, (${sample})::${type} as expected from t`)
  expect(rows[0]?.['c'], `${source(value)} bound to ${type}`).toEqual(rows[0]?.['expected'])
}

/** How a value is written in JavaScript. */
function source(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return String(value)
  if (value instanceof Date) return `new Date('${value.toISOString()}')`
  if (Buffer.isBuffer(value)) return `Buffer.from([${value.join(', ')}])`
  if (value instanceof Map) return `new Map(${source([...(value as Map<unknown, unknown>)])})`
  if (Array.isArray(value)) return `[${value.map(source).join(', ')}]`
  const fields = Object.entries(value).map(([name, field]) => `${name}: ${source(field)}`)
  return `{ ${fields.join(', ')} }`
}

function code(text: string): string {
  return `\`${text}\``
}

/** A table with columns of even width, as the formatter wants it. */
function markdown(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  const [head, ...body] = rows
  return [line(head!), rule, ...body.map(line)].join('\n')
}
