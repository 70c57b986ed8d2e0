import type { Expression } from '../ir/expression.ts'
import type { QueryPattern } from '../ir/index-definition.ts'
import { keyOf, type KeyInput } from './index-builder.ts'
import { given } from './predicates.ts'

/**
 * How a table is asked. Each method returns another one.
 *
 * @example
 * query.where(columns.tenantId).range(columns.createdAt).sort(desc(columns.createdAt)).limit()
 */
export class QueryBuilder {
  readonly pattern: QueryPattern

  constructor(pattern: QueryPattern = nothing) {
    this.pattern = pattern
  }

  /** These are compared with one value each. */
  where(...expressions: readonly Expression[]): QueryBuilder {
    return this.#with({ equals: [...this.pattern.equals, ...all('where()', expressions)] })
  }

  /** These are compared with a list of values each. */
  among(...expressions: readonly Expression[]): QueryBuilder {
    return this.#with({ among: [...this.pattern.among, ...all('among()', expressions)] })
  }

  /** These are greater or less than a value, or between two. */
  range(...expressions: readonly Expression[]): QueryBuilder {
    return this.#with({ ranges: [...this.pattern.ranges, ...all('range()', expressions)] })
  }

  sort(...keys: readonly KeyInput[]): QueryBuilder {
    const sort = keys.map((key) => keyOf('sort()', key))
    return this.#with({ sort: [...this.pattern.sort, ...sort] })
  }

  /** Only the first rows are asked for. */
  limit(): QueryBuilder {
    return this.#with({ limited: true })
  }

  #with(change: Partial<QueryPattern>): QueryBuilder {
    return new QueryBuilder({ ...this.pattern, ...change })
  }
}

const nothing: QueryPattern = { equals: [], among: [], ranges: [], sort: [], limited: false }

function all(where: string, expressions: readonly Expression[]): readonly Expression[] {
  return expressions.map((expression) => given(where, expression))
}
