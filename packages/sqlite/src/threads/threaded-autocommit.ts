import type { StatementCall } from '@keelson/core'
import type { ExecuteOptions, SqliteResult } from '../contract.ts'
import type { Patience } from '../session/patience.ts'
import { flag } from '../worker/protocol.ts'
import { type Asked, AskedOfThread, whileInteresting } from './interest.ts'
import { errorOf } from './reply-error.ts'
import { sendable } from './sendable.ts'
import type { StatementKind } from '../statement/statement-kinds.ts'
import type { Reply, RunOptions } from './thread.ts'
import type { ThreadedEngine } from './threaded-engine.ts'

/** One call of `execute()` outside a transaction. */
export interface AutocommitCall {
  readonly engine: ThreadedEngine
  readonly patience: Patience
  readonly sql: string
  readonly parameters: readonly unknown[]
  readonly options: ExecuteOptions | undefined
  readonly event: StatementCall | undefined
  /** What is on its way for the session. */
  readonly asked: Set<Asked>
}

/** Runs a statement outside a transaction: a read on a thread that reads, anything else on the one that writes. */
export async function executeAutocommit(call: AutocommitCall): Promise<SqliteResult<never>> {
  const { engine, sql } = call
  const parameters = sendable(call.parameters, sql)
  const kind = engine.kinds.of(sql)
  let reply = kind.mayRead ? await read(call, kind, parameters) : undefined
  if (reply === undefined || reply.kind === 'elsewhere') {
    reply = await onWriter(call, parameters, 0)
    if (kind.verb === 'other') engine.definitionsChanged()
    engine.wrote()
  }
  return resultOf(reply, sql, kind.mayRead)
}

/** @throws what the reply says, with the caller in its stack */
export function resultOf(reply: Reply, sql: string, isRead: boolean): SqliteResult<never> {
  if (reply.kind !== 'rows') throw errorOf(reply, sql, isRead)
  return {
    rows: reply.rows as never[],
    changes: reply.effects?.changes,
    insertId: reply.effects?.insertId,
  }
}

export function runOptions(options: ExecuteOptions | undefined, flags: number): RunOptions {
  const as = options?.rows ?? 'objects'
  const first = options?.first === true ? flag.first : 0
  const stepwise = options?.signal === undefined ? 0 : flag.stepwise
  return { as, flags: flags | first | stepwise }
}

/** @returns undefined where only the thread that writes can run it */
async function read(
  call: AutocommitCall,
  kind: StatementKind,
  parameters: readonly unknown[],
): Promise<Reply | undefined> {
  const { engine, sql, options, asked } = call
  const { generation } = engine
  if (kind.route?.generation !== generation) kind.route = undefined
  if (kind.route?.kind === 'writer') return undefined
  if (engine.isPrivate && kind.route === undefined) {
    const reply = await onWriter(call, parameters, flag.mayGoElsewhere)
    if (reply.kind !== 'elsewhere') return reply
    kind.route = { kind: 'any', generation }
  }
  const { queryTimeoutMs } = engine.options
  const reading = engine.readers.run(sql, parameters, {
    ...runOptions(options, flag.mayGoElsewhere),
    timeoutMs: queryTimeoutMs,
  })
  asked.add(reading)
  const reply = await whileInteresting(reading, sql, options?.signal, queryTimeoutMs)
  asked.delete(reading)
  if (reply.kind === 'elsewhere') kind.route = { kind: 'writer', generation }
  return reply
}

async function onWriter(
  call: AutocommitCall,
  parameters: readonly unknown[],
  flags: number,
): Promise<Reply> {
  const { engine, patience, sql, options, asked, event } = call
  const { queryTimeoutMs } = engine.options
  const send = (): Asked => {
    if (event !== undefined) event.waitMs = performance.now() - event.startMs
    const { writer } = engine
    const sent = writer.run(sql, parameters, {
      ...runOptions(options, flags),
      timeoutMs: queryTimeoutMs,
    })
    return new AskedOfThread(writer, sent, engine.kinds.of(sql).mayRead)
  }
  const sent = engine.gate.isFree
    ? send()
    : await patience.during(sql, options?.signal, (signal) => engine.gate.pass(sql, send, signal))
  asked.add(sent)
  const reply = await whileInteresting(sent, sql, options?.signal, queryTimeoutMs)
  asked.delete(sent)
  return reply
}
