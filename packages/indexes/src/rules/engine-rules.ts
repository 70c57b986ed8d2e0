import type { EngineName } from '@keelson/core'
import type { IndexDefinition, IndexKey, QueryPattern } from '../ir/index-definition.ts'
import { dialects } from '../sql/dialects.ts'
import { methodOf } from '../sql/index-method.ts'
import { duckdbRules } from './duckdb-rules.ts'
import type { IndexedTable } from './indexed-table.ts'
import { mysqlRules } from './mysql-rules.ts'
import { type EngineRules, type Objection, unsupported } from './objection.ts'
import { postgresqlRules } from './postgresql-rules.ts'
import { sqliteRules } from './sqlite-rules.ts'

export const engineRules: Readonly<Record<EngineName, EngineRules>> = Object.freeze({
  sqlite: sqliteRules,
  duckdb: duckdbRules,
  postgresql: postgresqlRules,
  mysql: mysqlRules,
})

/** Why an engine should not have an index, or cannot; undefined when it can. */
export function objectionTo(index: IndexDefinition, table: IndexedTable): Objection | undefined {
  const rules = engineRules[table.engine]
  return (
    objectionToOptions(index, table.engine, rules) ??
    objectionToWholeDocuments(index, table, rules) ??
    rules.objectionTo(index, table)
  )
}

/** Why no index helps a query on an engine; undefined when one does. */
export function objectionToPattern(
  pattern: QueryPattern,
  table: IndexedTable,
): Objection | undefined {
  return engineRules[table.engine].objectionToPattern(pattern, table)
}

/**
 * An index as an engine without INCLUDE has it: the columns that it holds are its last keys, from which they can be read just
 * as well. A unique index goes without them, since as keys they would be part of what has to be unique.
 */
export function adaptIndex(index: IndexDefinition, engine: EngineName): IndexDefinition {
  if (index.include === undefined) return index
  const { include, ...rest } = index
  if (include.length === 0) return rest
  if (dialects[engine].index.include) return index
  if (index.unique || !engineRules[engine].readsInOrder) return rest
  const keyed = new Set(
    index.keys.map(({ expression }) => (expression.kind === 'column' ? expression.name : '')),
  )
  const held = include
    .filter((name) => !keyed.has(name))
    .map((name): IndexKey => ({ expression: { kind: 'column', name } }))
  return { ...rest, keys: [...index.keys, ...held] }
}

function objectionToOptions(
  index: IndexDefinition,
  engine: EngineName,
  { title, maxKeys }: EngineRules,
): Objection | undefined {
  const { collation, methods, nullsNotDistinct } = dialects[engine].index
  const method = methodOf(index, engine)
  if (method !== undefined && !methods.includes(method)) {
    const known = methods.join(', ')
    return unsupported(
      `${title} has no indexes of the method ${JSON.stringify(method)}`,
      methods.length === 1 ? 'Leave out the method' : `Use one of ${known}, or leave it out`,
    )
  }
  if (index.keys.length > maxKeys) {
    return unsupported(
      `an index on ${title} has at most ${maxKeys} keys, and it has ${index.keys.length}`,
      'Leave out the last ones',
    )
  }
  if (!collation && index.keys.some((key) => key.collation !== undefined)) {
    return unsupported(
      `an index of ${title} has the collations of its columns`,
      'Give the column the collation',
    )
  }
  if (index.unique && index.nullsDistinct === false && !nullsNotDistinct) {
    return unsupported(
      `for ${title} two NULLs are always different`,
      'Make the columns NOT NULL, with a default in place of NULL',
    )
  }
  return undefined
}

/** JSON and arrays are never compared as a whole; only PostgreSQL's GIN looks inside. */
function objectionToWholeDocuments(
  index: IndexDefinition,
  table: IndexedTable,
  { title }: EngineRules,
): Objection | undefined {
  if (index.unique || methodOf(index, table.engine) !== undefined) return undefined
  const document = index.keys
    .filter(({ expression }) => expression.kind === 'column')
    .map(({ expression }) => table.columnOf(expression))
    .find((column) => column?.type.kind === 'json' || column?.type.kind === 'array')
  if (document === undefined || document.override?.[table.engine] !== undefined) return undefined
  const gin = dialects[table.engine].index.methods.includes('gin') ? ', or use gin' : ''
  return unsupported(
    `${title} compares ${JSON.stringify(document.name)} as a whole with it, and queries look inside`,
    `Index the paths inside that queries compare${gin}`,
  )
}
