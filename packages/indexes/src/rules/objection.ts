import type { IndexDefinition, QueryPattern } from '../ir/index-definition.ts'
import type { Refusal } from '../ir/refusal.ts'
import type { IndexedTable } from './indexed-table.ts'

/** Why an index is refused, before it has a name. */
export type Objection = Pick<Refusal, 'code' | 'why' | 'instead'>

/** What an engine has for indexes, and what it should not be asked for. */
export interface EngineRules {
  /** As messages call it. */
  readonly title: string
  readonly maxKeys: number
  /** Whether rows come out of an index in its order. */
  readonly readsInOrder: boolean
  /** What speaks against an index of which the above holds. */
  objectionTo(index: IndexDefinition, table: IndexedTable): Objection | undefined
  /** What speaks against any index for a pattern. */
  objectionToPattern(pattern: QueryPattern, table: IndexedTable): Objection | undefined
}

/** What no engine has in this way. */
export function unsupported(why: string, instead: string): Objection {
  return { code: 'UNSUPPORTED', why, instead }
}
