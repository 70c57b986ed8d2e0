import { answer, type Begin, notOpen } from './protocol.ts'
import { payloadOf } from './error-payload.ts'
import type { RunnerParts } from './statement-runner.ts'
import { Cancelled, whileBusy } from './waiting.ts'

/** A statement of a transaction that is not open any more, which would run in autocommit. */
class NotOpen extends Error {}

export interface Asked {
  readonly id: number
  /** What begins the transaction that it belongs to, where that may not have been done yet. */
  readonly begin: Begin | undefined
  /** It belongs to the transaction that is open on the connection, and runs in no other way. */
  readonly isOwned: boolean
}

/**
 * Does what was asked for, in the transaction that it belongs to, which may have to be begun for it; and tells of what it
 * throws, and what has become of that transaction.
 *
 * @param failed told before the caller is
 */
export function answering(
  parts: RunnerParts,
  asked: Asked,
  work: () => void,
  failed?: () => void,
): void {
  const { id, begin, isOwned } = asked
  let isUnbegun = !hasBegun(parts, begin)
  try {
    if (isUnbegun) {
      const [sql, transaction] = begin!
      runCommand(parts, id, sql)
      parts.lastBegun.transaction = transaction
      isUnbegun = false
    }
    if (isOwned && !parts.engine.database.inTransaction) throw new NotOpen()
    work()
  } catch (error) {
    failed?.()
    tellFailure(parts, asked, error, isUnbegun)
  }
}

/** Whether the transaction was begun; it may be over by now, if SQLite has ended it. */
export function hasBegun({ lastBegun }: RunnerParts, begin: Begin | undefined): boolean {
  return begin === undefined || begin[1] === lastBegun.transaction
}

/** @param isUnbegun nothing has happened: its transaction could not be begun */
export function tellFailure(
  { answers, engine }: RunnerParts,
  { id, isOwned }: Asked,
  error: unknown,
  isUnbegun: boolean,
): void {
  if (error instanceof Cancelled) answers.add([id, answer.cancelled])
  else {
    const payload = error instanceof NotOpen ? notOpen : payloadOf(error)
    answers.failed(id, payload, isOwned && !engine.database.inTransaction, isUnbegun)
  }
}

/** Runs one of the driver's own statements, as long as the request is wanted that it is for. */
export function runCommand(parts: RunnerParts, id: number, sql: string): void {
  whileWanted(parts, id, () => parts.engine.prepare(sql).forRun().run())
}

/** Runs `attempt` until another process has let go of its lock, as long as the request is wanted that it is for. */
export function whileWanted<T>(
  { inbox, busyTimeoutMs }: RunnerParts,
  id: number,
  attempt: () => T,
): T {
  return whileBusy(inbox, busyTimeoutMs, () => !inbox.wasCancelled(id), attempt)
}
