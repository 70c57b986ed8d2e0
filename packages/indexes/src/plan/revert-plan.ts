import { KeelsonError } from '@keelson/core'
import type { PlanStep, Risk, SchemaPlan } from './schema-plan.ts'

/**
 * The plan that undoes another one: its steps the other way round, from what the tables have after it to what they had
 * before. Data that was lost does not come back.
 *
 * @example
 * await applyPlan(db, revertPlan(plan), { allowDrop: true })
 */
export function revertPlan(plan: SchemaPlan): SchemaPlan {
  const { steps } = plan
  const last = steps.at(-1)
  if (last === undefined)
    throw new KeelsonError(
      'EMPTY_PLAN',
      'revertPlan() was given a plan without steps. There is nothing to undo.',
    )
  const reverted = steps.map((step, at): PlanStep => {
    const { prechecks: _, ...rest } = step
    return {
      ...rest,
      kind: opposites[step.kind],
      risk: riskOf(step),
      why: `Undoes: ${step.why}`,
      sql: step.down,
      down: step.sql,
      after: at === 0 ? plan.fingerprint : steps[at - 1]!.after,
    }
  })
  return { ...plan, fingerprint: last.after, steps: reverted.toReversed(), refused: [] }
}

const opposites: Readonly<Record<PlanStep['kind'], PlanStep['kind']>> = {
  createTable: 'dropTable',
  dropTable: 'createTable',
  addColumn: 'dropColumn',
  dropColumn: 'addColumn',
  alterColumn: 'alterColumn',
  rebuildTable: 'rebuildTable',
  createIndex: 'dropIndex',
  dropIndex: 'createIndex',
  addCheck: 'dropCheck',
  dropCheck: 'addCheck',
  addForeignKey: 'dropForeignKey',
  dropForeignKey: 'addForeignKey',
}

function riskOf({ kind, risk }: PlanStep): Risk {
  if (kind === 'createTable' || kind === 'addColumn') return 'destructive'
  // A rebuild that added columns loses them when it is undone, and what it has done cannot be told from here.
  if (kind === 'rebuildTable') return 'destructive'
  return risk === 'destructive' ? 'locking' : risk
}
