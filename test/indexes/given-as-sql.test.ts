import type { IndexDefinition, TableDefinition } from '@keelson/indexes'
import { describe, expect, it } from 'vitest'
import { tableOf } from './fixture.ts'
import { databases } from './schema-databases.ts'

const shop = tableOf('shop', {
  id: { kind: 'integer' },
  title: { kind: 'string' },
  price: { kind: 'integer' },
  other: { kind: 'integer' },
  done: { kind: 'boolean' },
  data: { kind: 'json' },
  at: { kind: 'datetime' },
})

function withCheck(sql: string): TableDefinition {
  return { ...shop, checks: [{ predicate: { kind: 'unsafeSql', sql } }] }
}

function withIndex(index: Partial<IndexDefinition>): TableDefinition {
  const keys = [{ expression: { kind: 'column', name: 'id' } as const }]
  return { ...shop, indexes: [{ keys, unique: false, ...index }] }
}

const withKey = (sql: string): TableDefinition =>
  withIndex({ keys: [{ expression: { kind: 'unsafeSql', sql } }] })

const withRows = (sql: string): TableDefinition => withIndex({ where: { kind: 'unsafeSql', sql } })

const everywhere = [
  'price > 5',
  '5 < price',
  ' ( PRICE  !=  5 ) ',
  '"price" is not null and other is null',
  'price between 1 and 3',
  'price not between 1 and 3',
  'price = 1 or price = 2',
  'price in (1, 2)',
  'price in (1)',
  "title not in ('a', 'b')",
  "not (title = 'a' or price is null)",
  "title = 'a' or title = 'b' and price = 1",
  "title like 'a%'",
  "title not like 'a%' and price > 1",
  'price + other > 5',
  '(price + 1) * 2 > other',
  '-price < 5',
  'price = other',
  'price not between 1 and 3 and price + other > 5',
  "title not in ('a', 'b') and price + other > 5",
  'title is not null and price + other > 5',
  'coalesce(price, 0) > 5',
  'length(title) < 9',
  "lower(title) = 'a'",
  "case when price > 5 then title = 'a' else true end",
  "data->>'kind' = 'a'",
]

const checks = {
  SQLite: [...everywhere, 'done = 1', 'done', "title glob 'a*'", 'price is 1', 'price == 5'],
  DuckDB: [
    ...everywhere,
    'done = true',
    'done',
    'not done',
    "title ilike 'a%'",
    'price::varchar > title',
  ],
  PostgreSQL: [
    ...everywhere,
    'done = true',
    'not done',
    'done is true',
    "title ilike 'a%'",
    "title not ilike 'a%'",
    "title ~ '^a'",
    'price = any (array[1, 2])',
    'price::text > title',
    "cast(data->>'n' as bigint) > 5",
    "at > '2020-01-01T00:00:00Z'",
    'price between 1 and 3 and title collate "C" > \'a\'',
    'done = (price in (1, 2))',
  ],
}

const keys = {
  SQLite: [
    'title',
    '"title" desc',
    'TITLE collate nocase',
    'lower(title)',
    'lower(title) collate NOCASE desc',
    'length(title) asc',
    'price + other',
    '(price + other) desc',
    "data->>'kind'",
    'coalesce(price, 0)',
    "case when price > 5 then title else 'x' end",
  ],
  DuckDB: ['title', '"title"', 'lower(title)', 'price + other', '(price + other)'],
  PostgreSQL: [
    'title',
    '"title" desc',
    'Title collate "C"',
    'lower(title)',
    'lower(title) collate "C" desc',
    'price + other',
    '(price + other) desc nulls first',
    'price desc nulls last',
    'price nulls first',
    "data->>'kind'",
    "cast(data->>'n' as bigint)",
    'coalesce(price, other)',
    'coalesce(price, 0)',
    'title text_pattern_ops',
    'lower(title) text_pattern_ops desc',
  ],
}

const engines = {
  SQLite: databases["Keelson's SQLite under Kysely"]!,
  DuckDB: databases['DuckDB under Kysely']!,
  PostgreSQL: databases['PGlite under Kysely']!,
}

describe.each(Object.keys(engines) as (keyof typeof engines)[])(
  'SQL given as such on %s',
  (engine) => {
    const cases: (readonly [string, TableDefinition])[] = [
      ...checks[engine].map((sql) => [`check (${sql})`, withCheck(sql)] as const),
      ...(engine === 'PostgreSQL'
        ? [['check (title = current_user)', withCheck('title = current_user')] as const]
        : []),
      ...keys[engine].map((sql) => [`key ${sql}`, withKey(sql)] as const),
      ...(engine === 'DuckDB'
        ? []
        : checks[engine].map((sql) => [`where ${sql}`, withRows(sql)] as const)),
    ]

    it.each(cases)('%s is found as it was created', async (_, table) => {
      const database = await engines[engine]()
      const plan = await database.diffSchema([table])
      expect(plan.refused).toEqual([])
      await database.applyPlan(plan)
      const again = await database.diffSchema([table])
      expect(again.steps).toEqual([])
      expect(again.unmanaged).toEqual([])
    })
  },
)
