import { excerpt } from '@keelson/core'
import { SqliteThreadError } from '../errors.ts'
import { withCallerStack } from './caller-stack.ts'
import { errorFrom } from './error-copy.ts'
import type { Reply } from './thread.ts'

/**
 * What is thrown for a reply that is no result.
 *
 * @param isRead whether it cannot have changed anything
 */
export function errorOf(reply: Reply, sql: string, isRead: boolean): unknown {
  return withCallerStack(() => madeOf(reply, sql, isRead))
}

function madeOf(reply: Reply, sql: string, isRead: boolean): unknown {
  switch (reply.kind) {
    case 'failed':
      return errorFrom(reply.error)
    case 'given up':
      return reply.reason
    case 'exited':
      if (reply.closedBy !== undefined && (isRead || !reply.hasBegun)) return reply.closedBy
      return exitedError(sql, isRead || !reply.hasBegun, reply.cause)
    default:
      return new Error(`A thread has answered ${reply.kind} to ${excerpt(sql)}.`)
  }
}

function exitedError(sql: string, isRead: boolean, cause: unknown): unknown {
  // It could not even open the database.
  if (isPayload(cause)) return errorFrom(cause)
  const options = cause === undefined ? undefined : { cause }
  return isRead
    ? new SqliteThreadError(
        'THREAD_EXITED',
        `The thread that was to run ${excerpt(sql)} has ended. Nothing was changed by it, and another thread takes its place: run it again.`,
        options,
      )
    : new SqliteThreadError(
        'OUTCOME_UNKNOWN',
        `The thread that writes has ended while it was to run ${excerpt(sql)}, which may have been committed or not. Another ` +
          'thread takes its place: look what is there before you run it again.',
        options,
      )
}

function isPayload(value: unknown): value is Parameters<typeof errorFrom>[0] {
  return typeof value === 'object' && value !== null && 'fields' in value
}
