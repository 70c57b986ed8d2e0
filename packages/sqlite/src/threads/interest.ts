import { excerpt, QueryTimeoutError } from '@keelson/core'
import { withCallerStack } from './caller-stack.ts'
import { SqliteThreadError } from '../errors.ts'
import type { Reply, Thread, Ticket } from './thread.ts'

/** Something that a thread was asked for, or is to be. */
export interface Asked {
  readonly reply: Promise<Reply>
  /** Why nobody wants it any more. */
  readonly reason: unknown
  /** Whether a thread is at work on it. */
  readonly isRunning: boolean
  /**
   * Nobody wants it any more. What has not begun ends now, and so does a read; a write that has begun is waited for.
   *
   * @returns whether it has ended for the caller
   */
  giveUp(reason: unknown): boolean
  /** Ends it for the caller, whatever comes of it. */
  abandon(reason: unknown): void
}

/** A request to one thread. */
export class AskedOfThread implements Asked {
  readonly #thread: Thread
  readonly #ticket: Ticket
  readonly #isRead: boolean
  #reason: unknown

  /** @param isRead it changes nothing, whether it runs to its end or not */
  constructor(thread: Thread, ticket: Ticket, isRead: boolean) {
    this.#thread = thread
    this.#ticket = ticket
    this.#isRead = isRead
  }

  get reply(): Promise<Reply> {
    return this.#ticket.reply
  }

  get reason(): unknown {
    return this.#reason
  }

  get isRunning(): boolean {
    return this.#thread.isRunning(this.#ticket.id)
  }

  giveUp(reason: unknown): boolean {
    this.#reason = reason
    const { id } = this.#ticket
    this.#thread.cancel(id)
    if (!this.#isRead && this.#thread.hasBegun(id)) return false
    this.abandon(reason)
    return true
  }

  abandon(reason: unknown): void {
    this.#thread.giveUp(this.#ticket.id, reason)
  }
}

/**
 * Waits for what was asked for, for as long as the caller is interested in it.
 *
 * @returns the reply; one that was given up has the signal's reason, a {@link QueryTimeoutError}, or a
 *   {@link SqliteThreadError} `OUTCOME_UNKNOWN`
 */
export async function whileInteresting(
  asked: Asked,
  sql: string,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
): Promise<Reply> {
  if (signal === undefined && timeoutMs === undefined) return told(await asked.reply, asked)
  const lose = (): void => void asked.giveUp(signal!.reason)
  let timer: NodeJS.Timeout | undefined
  let late: (() => unknown) | undefined
  if (signal?.aborted === true) lose()
  else signal?.addEventListener('abort', lose, { once: true })
  if (timeoutMs !== undefined)
    timer = setTimeout(() => {
      const { isRunning } = asked
      const hasEnded = asked.giveUp(undefined)
      late = () =>
        hasEnded ? timeoutError(isRunning, sql, timeoutMs) : unknownError(sql, timeoutMs)
      // Else its answer is on its way.
      if (!hasEnded && asked.isRunning) asked.abandon(undefined)
    }, timeoutMs)
  try {
    const reply = told(await asked.reply, asked)
    // Made here, so that it has the caller in its stack.
    return late !== undefined && reply.kind === 'given up'
      ? { ...reply, reason: withCallerStack(late) }
      : reply
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', lose)
  }
}

/** What a thread has noticed in time was given up for a reason that it does not know. */
export function told(reply: Reply, { reason }: Asked): Reply {
  return reply.kind === 'cancelled' ? { kind: 'given up', reason, hasNotRun: true } : reply
}

function timeoutError(isRunning: boolean, sql: string, timeoutMs: number): QueryTimeoutError {
  const state = isRunning ? 'was still running' : 'was still waiting and has not run'
  return new QueryTimeoutError(
    `${excerpt(sql)} ${state} after ${timeoutMs} ms (queryTimeoutMs). Add a condition or an index, or allow more time.`,
  )
}

function unknownError(sql: string, timeoutMs: number): SqliteThreadError {
  return new SqliteThreadError(
    'OUTCOME_UNKNOWN',
    `${excerpt(sql)} was still running after ${timeoutMs} ms (queryTimeoutMs). SQLite cannot be interrupted, so that it may ` +
      'yet be committed; others wait until it is done. Look what is there before you run it again.',
  )
}
