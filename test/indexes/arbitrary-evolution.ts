import {
  checkName,
  type ColumnDefinition,
  indexName,
  type PortableType,
  type TableDefinition,
} from '@keelson/indexes'
import fc from 'fast-check'
import { arbitraryTable } from './arbitrary-table.ts'

type Engine = 'sqlite' | 'duckdb' | 'postgresql'

/** A table as it was, and as it is to be. */
export interface Evolution {
  readonly before: TableDefinition
  readonly after: TableDefinition
}

/**
 * Any table of the engine, and what somebody may make of it: columns are dropped, added and altered, indexes and checks
 * come and go.
 */
export function arbitraryEvolution(engine: Engine): fc.Arbitrary<Evolution> {
  return fc
    .record({
      before: arbitraryTable(engine),
      donor: arbitraryTable(engine),
      kept: fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }),
      altered: fc.array(fc.nat({ max: 9 }), { minLength: 9, maxLength: 9 }),
      added: fc.nat({ max: 3 }),
    })
    .map(({ before, donor, kept, altered, added }) => {
      let at = 0
      const stays = (): boolean => kept[at++ % kept.length] === true
      const isNeeded = ({ name, generated, identity }: ColumnDefinition): boolean =>
        before.primaryKey.includes(name) ||
        generated !== undefined ||
        identity === true ||
        before.foreignKeys.some(({ columns }) => columns.includes(name)) ||
        before.columns.some(
          (column) => column.generated?.sql.includes(name.replaceAll('"', '""')) === true,
        )
      const columns = before.columns
        .filter((column) => isNeeded(column) || stays())
        .map((column, index) => (isNeeded(column) ? column : alter(column, altered[index] ?? 0)))
      const more = donor.columns
        .filter(
          ({ name, generated, identity }) =>
            generated === undefined &&
            identity !== true &&
            before.columns.every((column) => column.name.toLowerCase() !== name.toLowerCase()),
        )
        .slice(0, added)
      const all = [...columns, ...more]
      const table: TableDefinition = {
        ...before,
        columns: all.length === 0 ? before.columns : all,
      }
      const has = (names: readonly string[]): boolean =>
        names.every((name) => table.columns.some((column) => isSame(column, name, before, donor)))
      const indexes = [
        ...before.indexes.filter((index) => has(namesIn(index)) && stays()),
        ...donor.indexes.filter((index) => has(namesIn(index))),
      ]
      const checks = [
        ...before.checks.filter((check) => has(namesIn(check)) && stays()),
        ...donor.checks.filter((check) => has(namesIn(check))),
      ]
      const once = <T>(each: readonly T[], nameOf: (one: T) => string): readonly T[] => [
        ...new Map(each.map((one) => [nameOf(one), one])).values(),
      ]
      return {
        before,
        after: {
          ...table,
          indexes: once(indexes, (index) => indexName(table, index, engine)),
          checks: once(checks, (check) => checkName(table, check, engine)),
        },
      }
    })
}

/** Whether a name means the column that it meant where the index or check comes from. */
function isSame(
  column: ColumnDefinition,
  name: string,
  ...origins: readonly TableDefinition[]
): boolean {
  return (
    column.name === name &&
    origins.every((origin) =>
      origin.columns.every((other) => other.name !== name || other.type.kind === column.type.kind),
    )
  )
}

function alter(column: ColumnDefinition, how: number): ColumnDefinition {
  switch (how) {
    case 1:
      return { ...column, nullable: !column.nullable }
    case 2: {
      const { default: _, ...rest } = column
      return rest
    }
    case 3: {
      const { default: _, ...rest } = column
      return { ...rest, type: wider(column.type) }
    }
    default:
      return column
  }
}

function wider(type: PortableType): PortableType {
  switch (type.kind) {
    case 'int32':
      return { kind: 'integer' }
    case 'string':
    case 'enum':
      return { kind: 'string' }
    case 'decimal':
      return { ...type, precision: Math.min(38, type.precision + 2) }
    default:
      return type
  }
}

function namesIn(part: object): readonly string[] {
  const names: string[] = []
  JSON.stringify(part, (key, value: unknown) => {
    if (typeof value === 'object' && value !== null && 'kind' in value) {
      const { kind, name, column } = value as { kind: string; name?: string; column?: string }
      if (kind === 'column') names.push(name!)
      if (kind === 'json') names.push(column!)
    }
    if (key === 'include') names.push(...(value as string[]))
    return typeof value === 'bigint' ? String(value) : value
  })
  return names
}
