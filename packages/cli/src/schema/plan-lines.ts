import { milliseconds, printable } from '@keelson/core'
import type { PlanStep, Refusal, Risk, SchemaPlan } from '@keelson/indexes'
import Table from 'cli-table3'
import { paint, type Format } from './paint.ts'
import { plainTable } from './plain-table.ts'

/** What `keelson diff` shows of a plan, line by line. */
export function planLines({ engine, steps, refused, unmanaged }: SchemaPlan): string[] {
  if (steps.length === 0) {
    return [
      `${paint('green', 'Nothing to do')}: the tables on ${engine} are as they are defined.`,
      ...refusedLines(refused),
      ...unmanagedLines(unmanaged),
    ]
  }
  const table = new Table({
    head: ['#', 'risk', 'step', 'estimate', 'why'],
    style: { head: [], border: [] },
    chars: plainTable,
  })
  for (const [at, step] of steps.entries())
    table.push([
      at + 1,
      paint(colours[step.risk], step.risk),
      nameOf(step),
      estimateOf(step),
      step.why,
    ])
  return [
    `${paint('bold', `${steps.length} ${steps.length === 1 ? 'step' : 'steps'}`)} on ${engine}`,
    '',
    ...table
      .toString()
      .split('\n')
      .map((line) => line.trimEnd()),
    '',
    ...steps.flatMap(({ sql }, at) =>
      sql.map(
        (text, part) =>
          `${paint('dim', part === 0 ? `-- ${at + 1}` : '--')}\n${text.split('\n').map(printable).join('\n')};`,
      ),
    ),
    ...refusedLines(refused),
    ...unmanagedLines(unmanaged),
  ]
}

/** `createIndex tickets.ix_tickets_status_...` */
export function nameOf({ kind, table, object }: PlanStep): string {
  return printable(`${kind} ${object === undefined ? table : `${table}.${object}`}`)
}

/** Steps that are taken only when they were asked for by their risk. */
export function unsafeSteps(
  { steps }: SchemaPlan,
  allowed: { readonly destructive: boolean; readonly locking: boolean },
): readonly PlanStep[] {
  return steps.filter(
    ({ risk }) =>
      (risk === 'destructive' && !allowed.destructive) || (risk === 'locking' && !allowed.locking),
  )
}

const colours: Readonly<Record<Risk, Format>> = {
  safe: 'green',
  slow: 'yellow',
  locking: 'yellow',
  destructive: 'red',
}

function estimateOf({ estimate }: PlanStep): string {
  if (estimate === undefined) return ''
  const { rows, ms } = estimate
  return `${rows.toLocaleString('en')} rows${rows === 0 ? '' : `, ${milliseconds(ms)}`}`
}

/** What the engine does not get, with the reason. */
export function refusedLines(refused: readonly Refusal[]): string[] {
  if (refused.length === 0) return []
  return [
    '',
    ...refused.map(
      ({ index, code, why, instead }) =>
        `${paint('yellow', 'not created')} ${index} (${code}): ${why}. ${instead}.`,
    ),
  ]
}

function unmanagedLines(unmanaged: readonly string[]): string[] {
  if (unmanaged.length === 0) return []
  return ['', `Left alone, since no definition made them: ${unmanaged.join(', ')}`]
}
