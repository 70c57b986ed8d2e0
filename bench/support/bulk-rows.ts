/** Rows as they come out of a program, of six or of ten columns. */
export interface BulkTable {
  readonly name: string
  readonly columns: readonly string[]
  /** The columns' types, in the words of an engine. */
  ddl(engine: 'sqlite' | 'duckdb' | 'postgresql'): string
}

export type BulkRow = Readonly<Record<string, string | number>>

const types = {
  sqlite: { int: 'integer', text: 'text', float: 'real' },
  duckdb: { int: 'integer', text: 'varchar', float: 'double' },
  postgresql: { int: 'integer', text: 'text', float: 'double precision' },
} as const

const six = [
  ['id', 'int'],
  ['name', 'text'],
  ['email', 'text'],
  ['age', 'int'],
  ['score', 'float'],
  ['created_at', 'text'],
] as const
const ten = [
  ...six,
  ['city', 'text'],
  ['street', 'text'],
  ['visits', 'int'],
  ['balance', 'float'],
] as const

function table(columns: readonly (readonly [string, 'int' | 'text' | 'float'])[]): BulkTable {
  return {
    name: 'person',
    columns: columns.map(([name]) => name),
    ddl: (engine) =>
      `create table person (${columns.map(([name, type]) => `${name} ${types[engine][type]} not null`).join(', ')}, primary key (id))`,
  }
}

export const sixColumns: BulkTable = table(six)
export const tenColumns: BulkTable = table(ten)

/** A row of a number; the numbers of a range are in no order, as keys from elsewhere are. */
export function bulkRow(id: number, columns: number): BulkRow {
  const row = {
    id,
    name: `name ${id} of person`,
    email: `person.${(id * 7_919) % 1_000_003}@example.com`,
    age: id % 90,
    score: id / 3,
    created_at: '2026-11-30T00:00:00.000Z',
  }
  if (columns === 6) return row
  return {
    ...row,
    city: `city ${id % 1_000}`,
    street: `street ${id % 5_000}`,
    visits: id % 17,
    balance: id / 7,
  }
}
