import { checkOptionNames, invalidOption, type Steps, takeSteps } from '@keelson/core'
import { NotAdditiveError, OpenTransactionError } from '../../errors.ts'
import { checkLockTimeout } from '../../host/check-lock-timeout.ts'
import type { Host, HostSession } from '../../host/host.ts'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { analyseNewIndexes } from '../apply/statistics.ts'
import { takeStep } from '../apply/take-step.ts'
import { planSteps } from '../diff-schema.ts'
import { inLockedTransaction, type Patience } from '../lock/schema-lock.ts'
import { checkSchemaEngine } from '../schema-engine.ts'
import type { PlanStep } from '../schema-plan.ts'
import { hashOf } from './definition-hash.ts'
import { type EnsuredTables, ensuredTablesOf } from './ensured-tables.ts'

export interface EnsureOptions {
  /** How long to wait for the lock on the schema, in milliseconds. @default 30_000 */
  readonly lockTimeoutMs?: number | undefined
  /** Look at the database, whatever is known of it: after somebody else may have dropped a table. @default false */
  readonly refresh?: boolean | undefined
  /**
   * What to do inside an open transaction when tables are not known to be there. `'refuse'` throws before anything is sent. `'join'`
   * creates them as a part of the transaction, which keeps others from changing the schema until its end, and remembers
   * nothing, since it may be rolled back.
   * @default 'refuse'
   */
  readonly inTransaction?: 'refuse' | 'join' | undefined
  readonly signal?: AbortSignal | undefined
}

const where = 'ensureTables()'

/** Creates what is missing, once for all who ask for it at the same time. */
export async function runEnsure(
  host: Host,
  tables: readonly TableDefinition[],
  options: EnsureOptions = {},
): Promise<void> {
  checkOptionNames(where, options, ['lockTimeoutMs', 'refresh', 'inTransaction', 'signal'])
  const { inTransaction = 'refuse', lockTimeoutMs = 30_000, refresh = false, signal } = options
  checkLockTimeout(where, lockTimeoutMs)
  if (inTransaction !== 'refuse' && inTransaction !== 'join')
    invalidOption(where, 'inTransaction', inTransaction, `'refuse' or 'join'`)
  if (typeof refresh !== 'boolean') invalidOption(where, 'refresh', refresh, 'true or false')
  checkSchemaEngine(where, host.engine)
  const known = ensuredTablesOf(host.identity)
  if (!refresh && known.has(tables)) return
  const patience: Patience = { where, lockTimeoutMs, signal }
  if (host.isInTransaction) {
    checkJoin(inTransaction)
    await inLockedTransaction(host, patience, (session) => createMissing(session, host, tables))
    return
  }
  // Many ask for the same at once: when a program starts, and when a client has posted a schema.
  const asked = tables.map(hashOf).join()
  for (let running; (running = known.running.get(asked)) !== undefined;)
    if (await hasSucceeded(running, signal)) return
  const run = ensureOutside(host, known, tables, patience)
  known.running.set(asked, run)
  try {
    await run
  } finally {
    if (known.running.get(asked) === run) known.running.delete(asked)
  }
}

/** Waits for what another call does. One that fails, as by its own signal, says nothing of this call. */
async function hasSucceeded(
  running: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  signal?.throwIfAborted()
  const done = running.then(
    () => true,
    () => false,
  )
  if (signal === undefined) return done
  let stop!: () => void
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([done, stopped])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function ensureOutside(
  host: Host,
  known: EnsuredTables,
  tables: readonly TableDefinition[],
  patience: Patience,
): Promise<void> {
  const { age } = known
  if (!(await isComplete(host, tables)))
    await inLockedTransaction(host, patience, (session) => createMissing(session, host, tables))
  if (known.age === age) known.add(tables)
}

/** Without the lock, which nearly nobody needs: most programs start on a database that has its tables. */
async function isComplete(host: Host, tables: readonly TableDefinition[]): Promise<boolean> {
  const { plan } = await takeSteps(planSteps(host, where, host.engine, tables))
  return additionsOf(plan.steps).length === 0
}

function* createMissing(
  session: HostSession,
  host: Host,
  tables: readonly TableDefinition[],
): Steps<void> {
  const { plan } = yield* planSteps(session, where, host.engine, tables)
  const additions = additionsOf(plan.steps)
  for (const step of additions) yield* takeStep(session, step, host.engine)
  yield* analyseNewIndexes(session, additions, host.engine)
}

/** @throws {NotAdditiveError} for tables that are there otherwise than they are defined */
function additionsOf(steps: readonly PlanStep[]): readonly PlanStep[] {
  const created = new Set(steps.flatMap(({ kind, table }) => (kind === 'createTable' ? table : [])))
  const isAdditive = ({ kind, table }: PlanStep): boolean =>
    additive.has(kind) || (kind === 'addForeignKey' && created.has(table))
  const createdAgain = new Set(
    steps.flatMap(({ kind, object = '' }) => (kind === 'createIndex' ? object : [])),
  )
  const isLeftOut = ({ kind, object = '' }: PlanStep): boolean =>
    kind === 'dropIndex' && !createdAgain.has(object)
  const others = steps.filter((step) => !isAdditive(step) && !isLeftOut(step))
  if (others.length > 0) throw new NotAdditiveError(others)
  return steps.filter(isAdditive)
}

const additive: ReadonlySet<PlanStep['kind']> = new Set(['createTable', 'addColumn', 'createIndex'])

function checkJoin(inTransaction: 'refuse' | 'join'): void {
  if (inTransaction === 'join') return
  throw new OpenTransactionError(
    `${where} was called inside a transaction for tables that are not known to be there. Call it before the transaction begins; or ` +
      "say `inTransaction: 'join'` to create them as a part of it. Nothing was sent.",
  )
}
