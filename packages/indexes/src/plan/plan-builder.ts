import type { TableDefinition } from '../ir/table-definition.ts'
import { Fingerprint, type TableModel } from './fingerprint.ts'
import { tableKey } from '../ir/table-key.ts'
import type { SchemaEngine } from './schema-engine.ts'
import type { PlanStep } from './schema-plan.ts'

/** A step without what the builder knows better. */
export type NewStep = Omit<PlanStep, 'after' | 'transactional' | 'table' | 'schema'>

/** Collects the steps of a plan, and keeps book of what the tables have after each. */
export class PlanBuilder {
  readonly engine: SchemaEngine
  readonly steps: PlanStep[] = []
  readonly #live: TableModel
  readonly #model: Map<string, TableDefinition | undefined>
  /** There once it is asked for: nobody needs it of tables that are what they should be. */
  #fingerprint: Fingerprint | undefined

  constructor(engine: SchemaEngine, live: TableModel) {
    this.engine = engine
    this.#live = live
    this.#model = new Map(live)
  }

  /** Of the tables as they are, before the steps. */
  get fingerprint(): string {
    return new Fingerprint(this.#live).text
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
    this.#fingerprint ??= new Fingerprint(this.#live)
    this.#fingerprint.replace(key, this.#model.get(key), next)
    this.#model.set(key, next)
    this.steps.push({
      ...step,
      table: table.name,
      ...(table.schema !== undefined && { schema: table.schema }),
      transactional: true,
      after: this.#fingerprint.text,
    })
  }
}
