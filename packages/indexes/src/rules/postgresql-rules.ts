import type { IndexDefinition } from '../ir/index-definition.ts'
import { methodOf } from '../sql/index-method.ts'
import type { IndexedTable } from './indexed-table.ts'
import { keyBytes, nameOfKey } from './key-bytes.ts'
import { type EngineRules, type Objection, unsupported } from './objection.ts'

/** A third of a page less its head. @see https://www.postgresql.org/docs/current/btree.html */
const maxEntryBytes = 2_704

export const postgresqlRules: EngineRules = {
  title: 'PostgreSQL',
  maxKeys: 32,
  readsInOrder: true,

  objectionTo(index, table) {
    const virtual = index.keys
      .map(({ expression }) => table.columnOf(expression))
      .find((column) => column?.generated?.stored === false)
    if (virtual !== undefined) {
      return unsupported(
        `PostgreSQL has no indexes over columns that are computed on each read, as ${JSON.stringify(virtual.name)} is`,
        'Have the column stored',
      )
    }
    const method = methodOf(index, table.engine)
    return method === undefined
      ? objectionToWidth(index, table)
      : objectionToMethod(index, method, table)
  },

  objectionToPattern: () => undefined,
}

/** A unique index is kept: what it demands cannot be had otherwise, and values that are too wide fail instead of being lost. */
function objectionToWidth(index: IndexDefinition, table: IndexedTable): Objection | undefined {
  if (index.unique) return undefined
  const width = keyBytes(index, table)
  const instead =
    index.keys.length === 1
      ? "Give it a maxLength of at most 676, or use the method 'hash', which serves equality alone"
      : 'Give the texts a maxLength, together at most 676'
  if ('unbounded' in width) {
    const what = nameOfKey(width.unbounded, table)
    return {
      code: 'POSTGRESQL_UNBOUNDED_TEXT',
      why: `an entry of a B-tree has at most 2,704 bytes, and ${what} has no bound: a row with more could not be inserted`,
      instead,
    }
  }
  if (width.bytes <= maxEntryBytes) return undefined
  return {
    code: 'POSTGRESQL_UNBOUNDED_TEXT',
    why: `an entry of a B-tree has at most 2,704 bytes, and these keys can have ${width.bytes.toLocaleString('en')}`,
    instead,
  }
}

function objectionToMethod(
  index: IndexDefinition,
  method: string,
  table: IndexedTable,
): Objection | undefined {
  if (index.unique) {
    return unsupported(`an index of the method ${method} cannot be unique`, 'Leave out the method')
  }
  if (method === 'hash' && index.keys.length > 1) {
    return unsupported('an index of the method hash has one key', 'Leave out the method')
  }
  if (index.keys.some(({ direction }) => direction === 'desc')) {
    return unsupported(`an index of the method ${method} has no order`, 'Leave out desc')
  }
  if (
    (method === 'hash' || method === 'gin' || method === 'brin') &&
    (index.include ?? []).length > 0
  ) {
    return unsupported(
      `an index of the method ${method} holds nothing but its keys`,
      'Leave out include',
    )
  }
  const scalar = index.keys.find(({ expression }) => {
    const kind = table.columnOf(expression)?.type.kind
    return expression.kind === 'column' && kind !== 'json' && kind !== 'array'
  })
  if (method === 'gin' && scalar !== undefined) {
    return unsupported(
      `gin looks inside JSON and arrays, and ${nameOfKey(scalar.expression, table)} is neither`,
      'Leave out the method',
    )
  }
  return undefined
}
