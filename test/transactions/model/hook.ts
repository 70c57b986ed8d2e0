import {
  afterCommit,
  afterRollback,
  beforeCommit,
  inTransaction,
} from '@keelson/transactions/kysely'
import type { Step } from './program.ts'
import { type HookRecord, now, type ScopeRecord } from './records.ts'
import type { Trace } from './trace.ts'

/** What a program throws of its own. */
export class UserError extends Error {}

/** Registers a hook, which writes down that it ran. */
export async function registerHook(
  trace: Trace,
  scope: ScopeRecord,
  { kind, does }: Extract<Step, { do: 'hook' }>,
): Promise<void> {
  const record: HookRecord = {
    kind,
    scope,
    registeredAt: now(),
    isRegistered: false,
    ran: [],
    threw: undefined,
  }
  const hook = async (): Promise<void> => {
    record.ran.push(now())
    if (inTransaction(trace.db) !== (kind === 'beforeCommit'))
      trace.violations.push(`${kind} ran ${kind === 'beforeCommit' ? 'outside' : 'inside'}`)
    try {
      if (does === 'throw') throw new UserError(`thrown by ${kind}`)
      if (does === 'insert' && kind === 'beforeCommit')
        await trace.insert({ scope: scope.root, tx: trace.db }, 'db')
      if (does === 'insert' && kind === 'afterCommit') await trace.insertOutside()
    } catch (error) {
      record.threw = error
      throw error
    }
  }
  trace.hooks.push(record)
  const register = { beforeCommit, afterCommit, afterRollback }[kind]
  const { isOver } = scope
  try {
    await register(trace.db, hook)
    record.isRegistered = true
    if (isOver) trace.violations.push(`a hook was registered in ${scope.id}, which is over`)
  } catch (error) {
    if (!scope.explains(error))
      trace.violations.push(`a hook of ${scope.id} was refused with ${String(error)}`)
    throw error
  }
}
