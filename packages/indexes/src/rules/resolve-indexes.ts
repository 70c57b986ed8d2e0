import type { EngineName } from '@keelson/core'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type { Refusal } from '../ir/refusal.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { refusedName } from './refused-name.ts'
import { deriveIndexes } from './derive-indexes.ts'
import { adaptIndex, objectionTo } from './engine-rules.ts'
import { type IndexedTable, indexTable } from './indexed-table.ts'
import type { Objection } from './objection.ts'
import { isSameIndex, whyOrderedAnyway, whyRedundant } from './redundancy.ts'

/** What `resolveIndexes()` makes of a table. */
export interface ResolvedIndexes {
  /** Those that the table gets, the declared ones first, each as the engine has it. */
  readonly indexes: readonly IndexDefinition[]
  readonly refused: readonly Refusal[]
}

/**
 * Which indexes a table gets on an engine: those that it declares and those that follow from its `queries`, without what
 * the engine cannot have, should not have, or has already.
 *
 * A unique index is left out only where the engine cannot have it, or where another key demands the same: never for speed.
 * Columns that an index only holds (`include`) become keys on engines without them; a unique index goes without.
 *
 * @throws {DefinitionError} for an index or a query over a column that the table does not have
 */
export function resolveIndexes(table: TableDefinition, engine: EngineName): ResolvedIndexes {
  const indexed = indexTable(table, engine)
  const refused: Refusal[] = []
  const refuse = (index: IndexDefinition, objection: Objection): void => {
    const { code, why, instead } = objection
    const name = refusedName(table, index, engine)
    // Several patterns can ask for the same index.
    if (refused.some((other) => other.index === name && other.code === code)) return
    refused.push({ engine, table: table.name, index: name, code, why, instead })
  }

  const declared: IndexDefinition[] = []
  for (const given of table.indexes) {
    const index = adaptIndex(given, engine)
    // It is part of the table, which others may refer to by it.
    if (index.constraint === true) {
      declared.push(index)
      continue
    }
    const twin = declared.find((other) => isSameIndex(index, other, engine))
    const objection = twin === undefined ? objectionTo(index, indexed) : duplicateOf(twin, indexed)
    if (objection === undefined) declared.push(index)
    else refuse(index, objection)
  }
  const kept = withinPartialLimit(declared, refuse)
  const derived = deriveIndexes(indexed, kept, refuse)
  // Nobody asked for a derived one by itself: where another serves its pattern, nothing is refused.
  const refuseDeclared = (index: IndexDefinition, objection: Objection): void => {
    if (!derived.includes(index)) refuse(index, objection)
  }
  return { indexes: withoutRedundant([...kept, ...derived], indexed, refuseDeclared), refused }
}

/** Each insert evaluates the predicate of each: 3 us with none, 11 with 50, 163 with 200, 3,386 with 1,000 on SQLite. */
const maxPartialIndexes = 16

function withinPartialLimit(
  indexes: readonly IndexDefinition[],
  refuse: (index: IndexDefinition, objection: Objection) => void,
): IndexDefinition[] {
  let room = maxPartialIndexes - indexes.filter(({ unique, where }) => unique && where).length
  return indexes.filter((index) => {
    if (index.unique || index.where === undefined) return true
    if (room-- > 0) return true
    refuse(index, {
      code: 'TOO_MANY_PARTIAL',
      why: `the table has ${maxPartialIndexes} partial indexes already, and each insert evaluates the predicates of all`,
      instead:
        'Make one index whose first key is the column that the predicates compare, and drop the predicates',
    })
    return false
  })
}

function withoutRedundant(
  indexes: readonly IndexDefinition[],
  table: IndexedTable,
  refuse: (index: IndexDefinition, objection: Objection) => void,
): readonly IndexDefinition[] {
  let kept = indexes
  for (const why of [whyRedundant, whyOrderedAnyway]) {
    // One after the other, so that none goes in favour of one that goes itself; the last first, so that the first stays.
    for (const index of kept.toReversed()) {
      if (index.constraint === true) continue
      const others = kept.filter((other) => other !== index)
      const objection = why(index, others, table)
      if (objection === undefined) continue
      refuse(index, objection)
      kept = others
    }
  }
  return kept
}

function duplicateOf(twin: IndexDefinition, { definition, engine }: IndexedTable): Objection {
  return {
    code: 'DUPLICATE',
    why: `${refusedName(definition, twin, engine)} is the same`,
    instead: 'Declare it once',
  }
}
