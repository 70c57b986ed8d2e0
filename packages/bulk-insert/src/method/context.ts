import type { EngineTraits } from '@keelson/core'
import type { Conflict } from '../conflict.ts'
import type { CompiledInsert, StatementShape, Target } from '../host/target.ts'
import type { TableInfo } from '../shape/table-info.ts'

/** What a method knows of the bulk insert that it works for. */
export interface MethodContext {
  readonly traits: EngineTraits
  readonly isOwnDriver: boolean
  readonly target: Target
  readonly table: TableInfo
  readonly conflict: Conflict | undefined
  /** What the database calls the columns of the conflict's target. */
  readonly key: readonly string[] | undefined
  readonly duplicates: 'error' | 'first' | 'last'
  readonly returning: readonly string[] | undefined
}

/** Compiled statements, each made once. */
export class Statements {
  readonly #target: Target
  readonly #known = new Map<readonly string[], Map<number, CompiledInsert>>()

  constructor(target: Target) {
    this.#target = target
  }

  /** @param size rows, or for a query that rows come from which one of a few it is */
  get(size: number, shape: StatementShape): CompiledInsert {
    if (this.#target.isVolatile && shape.conflict !== undefined) return this.#target.compile(shape)
    let sizes = this.#known.get(shape.keys)
    if (sizes === undefined) this.#known.set(shape.keys, (sizes = new Map()))
    let compiled = sizes.get(size)
    if (compiled === undefined) sizes.set(size, (compiled = this.#target.compile(shape)))
    return compiled
  }
}

/** Whether a conflict updates the row that is there. */
export function updates(conflict: Conflict | undefined): boolean {
  return conflict?.update !== undefined
}
