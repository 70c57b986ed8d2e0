import type { EngineName } from '@keelson/core'
import type { Expression, Predicate } from '../../ir/expression.ts'
import type { IndexDefinition } from '../../ir/index-definition.ts'
import { keyText } from '../shape/query-shape.ts'
import type { TableStatistics } from '../statistics/table-statistics.ts'
import { indexBytes } from './index-bytes.ts'

/** An index of a table, there or thought of. */
export interface TableIndex {
  /** As plans name it. */
  readonly name: string
  readonly table: string
  readonly index: IndexDefinition
  readonly keys: readonly TableKey[]
  /** Which part of the rows it is over. */
  readonly partial: PartialRows | undefined
  readonly bytes: number
  /** Whether a PRIMARY KEY or a UNIQUE constraint stands behind it, so that it cannot go. */
  readonly isConstraint: boolean
}

export interface TableKey {
  readonly key: Expression
  readonly text: string
  readonly descending: boolean
}

export interface PartialRows {
  readonly predicate: Predicate
  /** From 0 to 1. */
  readonly share: number
  /** `keyText` of what the predicate is over. */
  readonly key: string | undefined
}

/** An index that is not there yet. */
export interface Candidate extends TableIndex {
  /** What it is, whatever its name. */
  readonly id: string
  /** Names of those that are of use only with it, for the branches of an OR. */
  readonly together: readonly string[]
}

/** @param name as plans are to name it */
export function tableIndex(
  name: string,
  table: string,
  index: IndexDefinition,
  statistics: TableStatistics,
  engine: EngineName,
  isConstraint = false,
): TableIndex {
  const keys = index.keys.map(({ expression, direction }) => ({
    key: expression,
    text: keyText(expression),
    descending: direction === 'desc',
  }))
  const partial = index.where && partialOf(index.where, statistics)
  const width = keys.reduce((all, { key }) => all + statistics.keyWidth(key), 0)
  const bytes = indexBytes(statistics.rows * (partial?.share ?? 1), width, statistics.rows, engine)
  return { name, table, index, keys, partial, bytes, isConstraint }
}

/** What tells two indexes apart. */
export function indexId(table: string, index: IndexDefinition): string {
  const keys = index.keys.map(({ expression, direction, collation }) =>
    [keyText(expression), ...(direction === 'desc' ? ['desc'] : []), collation ?? []]
      .flat()
      .join(' '),
  )
  const where = index.where === undefined ? '' : ` where ${predicateText(index.where)}`
  return `${table} (${keys.join(', ')})${where}`
}

function predicateText(predicate: Predicate): string {
  if (predicate.kind === 'isNotNull') return `${keyText(predicate.expression)} is not null`
  if (predicate.kind === 'compare') {
    const { expression, operator, value } = predicate
    return `${keyText(expression)} ${operator} ${typeof value === 'bigint' ? `${value}n` : JSON.stringify(value)}`
  }
  return JSON.stringify(predicate)
}

/**
 * Whether `longer` does all that `index` does: it is over the same rows, and its keys begin with those of `index`, in
 * the same directions or all of them turned.
 */
export function isPrefixOf(index: TableIndex, longer: TableIndex): boolean {
  if (index.table !== longer.table || index.keys.length > longer.keys.length) return false
  const same = (turned: boolean): boolean =>
    index.keys.every(({ text, descending }, at) => {
      const other = longer.keys[at]!
      if (text !== other.text || (descending === other.descending) === turned) return false
      const [own, theirs] = [index, longer].map((each) =>
        each.index.keys[at]!.collation?.toLowerCase(),
      )
      return own === theirs
    })
  return (
    (same(false) || same(true)) &&
    JSON.stringify(index.index.where) === JSON.stringify(longer.index.where) &&
    JSON.stringify(index.index.method) === JSON.stringify(longer.index.method)
  )
}

function partialOf(predicate: Predicate, statistics: TableStatistics): PartialRows {
  if (predicate.kind === 'isNotNull' || predicate.kind === 'isNull') {
    const nulls = statistics.nullShare(predicate.expression)
    const share = predicate.kind === 'isNull' ? nulls : 1 - nulls
    return {
      predicate,
      share: atLeastOneRow(share, statistics),
      key: keyText(predicate.expression),
    }
  }
  if (predicate.kind === 'compare' && predicate.operator === '=') {
    const share = statistics.share(predicate.expression, predicate.value)
    return {
      predicate,
      share: atLeastOneRow(share, statistics),
      key: keyText(predicate.expression),
    }
  }
  return { predicate, share: 0.5, key: undefined }
}

function atLeastOneRow(share: number, { rows }: TableStatistics): number {
  return Math.max(share, 1 / Math.max(1, rows))
}
