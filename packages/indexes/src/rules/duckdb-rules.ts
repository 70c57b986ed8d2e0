import type { Expression } from '../ir/expression.ts'
import type { PortableKind } from '../ir/portable-type.ts'
import type { IndexedTable } from './indexed-table.ts'
import { type EngineRules, type Objection, unsupported } from './objection.ts'

/**
 * A scan of DuckDB uses an index when it is over one column and that is the only one that is filtered, by `=` or IN, and
 * finds at most 2,048 rows or a thousandth of them; in all other cases an index costs each write and helps no query.
 *
 * @see https://duckdb.org/docs/stable/sql/indexes
 */
export const duckdbRules: EngineRules = {
  title: 'DuckDB',
  maxKeys: Number.POSITIVE_INFINITY,
  readsInOrder: false,

  objectionTo(index, table) {
    if (index.where !== undefined) {
      return {
        code: 'DUCKDB_PARTIAL',
        why: 'DuckDB has no partial indexes',
        instead: index.unique
          ? 'Demand it of all rows, or keep these rows in a table of their own'
          : 'Leave it out: a scan skips the blocks whose minimum and maximum tell that they have none of the rows',
      }
    }
    for (const { expression } of index.keys) {
      const objection = objectionToKey(expression, table)
      if (objection !== undefined) return objection
    }
    if (index.unique) return undefined
    if (index.keys.length > 1) return multiColumn
    const [key] = index.keys
    if (key === undefined) return undefined
    return key.direction === 'desc' ? zonemap : objectionToLookup(key.expression, table)
  },

  objectionToPattern({ equals, among, ranges }) {
    const looked = equals.length + among.length
    if (looked + ranges.length > 1) return multiColumn
    return looked === 0 ? zonemap : undefined
  },
}

const multiColumn: Objection = {
  code: 'DUCKDB_MULTI_COLUMN',
  why: 'a scan of DuckDB uses no index when several columns are filtered, and none over several columns',
  instead:
    'Load the rows sorted by what filters them most (ORDER BY in the INSERT), so that a scan skips most blocks',
}

const zonemap: Objection = {
  code: 'DUCKDB_ZONEMAP',
  why: 'a scan of DuckDB uses no index for ranges, sorts and values that many rows have; it skips blocks by their minimum and maximum',
  instead: 'Load the rows sorted by this column (ORDER BY in the INSERT)',
}

/** What is compared by ranges, or has few different values. */
const rarelyLookedUp: readonly PortableKind[] = [
  'boolean',
  'enum',
  'date',
  'datetime',
  'number',
  'decimal',
]

function objectionToLookup(expression: Expression, table: IndexedTable): Objection | undefined {
  if (expression.kind !== 'column') return undefined
  const column = table.columnOf(expression)
  if (column === undefined) return undefined
  if (isKey(column.name, table)) {
    return {
      code: 'DUCKDB_KEY',
      why: `a key is over ${JSON.stringify(column.name)}, and a scan uses the index that DuckDB has for it`,
      instead: 'Leave it out',
    }
  }
  if (column.override?.duckdb !== undefined) return undefined
  return rarelyLookedUp.includes(column.type.kind) ? zonemap : undefined
}

function isKey(column: string, table: IndexedTable): boolean {
  const isUnique = table.definition.indexes.some(({ unique, where, keys: [key, ...more] }) => {
    const isAlone = unique && where === undefined && more.length === 0
    return isAlone && key?.expression.kind === 'column' && key.expression.name === column
  })
  return isUnique || table.isKey(column)
}

function objectionToKey(expression: Expression, table: IndexedTable): Objection | undefined {
  const inside = expression.kind === 'call' ? expression.argument : expression
  const column = table.columnOf(expression)
  if (inside.kind === 'json' || column?.generated !== undefined) {
    return {
      code: 'DUCKDB_EXPRESSION',
      why:
        inside.kind === 'json'
          ? 'an index of DuckDB cannot be over a path in JSON'
          : `DuckDB computes ${JSON.stringify(column?.name)} on each read, and uses no index over it`,
      instead: 'Keep the value in a column of its own',
    }
  }
  if (column?.type.kind === 'array' && column.override?.duckdb === undefined) {
    return unsupported(
      `an index of DuckDB cannot be over the list ${JSON.stringify(column.name)}`,
      'Keep what is looked up in a column or a table of its own',
    )
  }
  return undefined
}
