import type { EngineName } from '@keelson/core'
import type { TableDefinition } from '../ir/table-definition.ts'
import { Fingerprint, type TableModel } from './fingerprint.ts'
import { tableKey } from '../ir/table-key.ts'
import type { PlanStep } from './schema-plan.ts'

/** A step without what the builder knows better. */
export type NewStep = Omit<PlanStep, 'after' | 'transactional' | 'table' | 'schema'>

/** Collects the steps of a plan, and keeps book of what the tables have after each. */
export class PlanBuilder {
  readonly engine: EngineName
  readonly steps: PlanStep[] = []
  readonly #transactional: boolean
  readonly #model: Map<string, TableDefinition | undefined>
  readonly #fingerprint: Fingerprint

  constructor(engine: EngineName, isTransactional: boolean, live: TableModel) {
    this.engine = engine
    this.#transactional = isTransactional
    this.#model = new Map(live)
    this.#fingerprint = new Fingerprint(live)
  }

  get fingerprint(): string {
    return this.#fingerprint.text
  }

  /** What a table has after the steps so far. */
  table(of: Pick<TableDefinition, 'schema' | 'name'>): TableDefinition | undefined {
    return this.#model.get(tableKey(of))
  }

  /** @param next what the table has after the step; undefined when it is gone */
  add(
    table: Pick<TableDefinition, 'schema' | 'name'>,
    step: NewStep,
    next: TableDefinition | undefined,
  ): void {
    const key = tableKey(table)
    this.#fingerprint.replace(key, this.#model.get(key), next)
    this.#model.set(key, next)
    this.steps.push({
      ...step,
      table: table.name,
      ...(table.schema !== undefined && { schema: table.schema }),
      transactional: this.#transactional,
      after: this.#fingerprint.text,
    })
  }
}
