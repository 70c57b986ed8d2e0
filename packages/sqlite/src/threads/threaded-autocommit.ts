import type { StatementCall } from '@keelson/core'
import type { ExecuteOptions, SqliteResult } from '../contract.ts'
import type { Patience } from '../session/patience.ts'
import { flag } from '../worker/protocol.ts'
import { type Asked, AskedOfThread, told, whileInteresting } from './interest.ts'
import { errorOf } from './reply-error.ts'
import { sendable } from './sendable.ts'
import type { StatementKind } from '../statement/statement-kinds.ts'
import type { Reply, RunOptions } from './thread.ts'
import type { ThreadedEngine } from './threaded-engine.ts'

/** One call of `execute()` outside a transaction. */
export interface AutocommitCall<R = unknown> {
  readonly engine: ThreadedEngine
  readonly patience: Patience
  readonly sql: string
  readonly parameters: readonly unknown[]
  readonly options: ExecuteOptions | undefined
  /** Makes of the result what the caller gets. */
  readonly map: ((result: SqliteResult<never>) => R) | undefined
  readonly event: StatementCall | undefined
  /** What is on its way for the session. */
  readonly asked: Set<Asked>
}

/** Runs a statement outside a transaction: a read on a thread that reads, anything else on the one that writes. */
export async function executeAutocommit<R>(call: AutocommitCall<R>): Promise<R> {
  const { engine, sql } = call
  const parameters = sendable(call.parameters, sql)
  const kind = engine.kinds.of(sql)
  const { generation } = engine
  if (kind.route?.generation !== generation) kind.route = undefined
  let reply: Reply | undefined
  if (kind.mayRead && !isOfWriter(kind)) {
    if (engine.isPrivate && kind.route === undefined) {
      const asking = askRoute(engine, sql, parameters)
      call.asked.add(asking)
      reply = noteRoute(kind, generation, told(await interest(call, asking), asking))
      call.asked.delete(asking)
    }
    if (reply === undefined && !isOfWriter(kind)) {
      const reading = toReader(call, kind, parameters)
      // Not in a function of its own: a promise more for each statement is felt.
      call.asked.add(reading)
      reply = told(await interest(call, reading), reading)
      call.asked.delete(reading)
      if (reply.kind === 'elsewhere') kind.route = { kind: 'writer', generation }
    }
  }
  if (reply === undefined || reply.kind === 'elsewhere') {
    const sent = engine.gate.isFree
      ? send(call, kind, parameters, 0)
      : await toWriter(call, kind, parameters, 0)
    call.asked.add(sent)
    reply = told(await interest(call, sent), sent)
    call.asked.delete(sent)
    if (kind.verb === 'other') engine.definitionsChanged()
    engine.wrote()
  }
  const result = resultOf(reply, sql, kind.mayRead)
  return call.map === undefined ? (result as R) : call.map(result)
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

function toReader(
  { engine, sql, options }: AutocommitCall,
  kind: StatementKind,
  parameters: readonly unknown[],
): Asked {
  const run = {
    ...runOptions(options, flag.mayGoElsewhere),
    timeoutMs: engine.options.queryTimeoutMs,
  }
  return engine.readers.run(sql, parameters, run, kind)
}

/**
 * Asks the thread that writes where a read has to run, while that has something of its own. It tells without running it,
 * so that nobody waits for whose the connection is.
 */
export function askRoute(
  { writer }: ThreadedEngine,
  sql: string,
  parameters: readonly unknown[],
): Asked {
  const flags = flag.mayGoElsewhere | flag.onlyRoute
  return new AskedOfThread(writer, writer.run(sql, parameters, { as: 'arrays', flags }), true)
}

/**
 * Notes where a read has to run.
 *
 * @returns the reply where it ends the read. An error does not: the table may be gone in a transaction that is open there.
 */
export function noteRoute(
  kind: StatementKind,
  generation: number,
  reply: Reply,
): Reply | undefined {
  if (reply.kind === 'failed') return undefined
  if (reply.kind !== 'elsewhere' && reply.kind !== 'rows') return reply
  kind.route = { kind: reply.kind === 'rows' ? 'writer' : 'any', generation }
  return undefined
}

export function isOfWriter({ route }: StatementKind): boolean {
  return route?.kind === 'writer'
}

/** Sends it to the thread that writes, once nobody owns that. */
async function toWriter(
  call: AutocommitCall,
  kind: StatementKind,
  parameters: readonly unknown[],
  flags: number,
): Promise<Asked> {
  const { engine, patience, sql, options } = call
  const admitted = (): Asked => send(call, kind, parameters, flags)
  if (engine.gate.isFree) return admitted()
  return patience.during(sql, options?.signal, (signal) => engine.gate.pass(sql, admitted, signal))
}

function send(
  { engine, sql, options, event }: AutocommitCall,
  kind: StatementKind,
  parameters: readonly unknown[],
  flags: number,
): Asked {
  if (event !== undefined) event.waitMs = performance.now() - event.startMs
  const { writer } = engine
  const sent = writer.run(sql, parameters, {
    ...runOptions(options, flags),
    timeoutMs: engine.options.queryTimeoutMs,
  })
  return new AskedOfThread(writer, sent, kind.mayRead)
}

function interest({ engine, sql, options }: AutocommitCall, asked: Asked): Promise<Reply> {
  const { queryTimeoutMs } = engine.options
  return options?.signal === undefined && queryTimeoutMs === undefined
    ? asked.reply
    : whileInteresting(asked, sql, options?.signal, queryTimeoutMs)
}
