import { readRoute } from '../statement/read-route.ts'
import { refuseControl } from '../statement/statement-rules.ts'
import type { PreparedStatement } from '../statement/prepared-statement.ts'
import type { StatementEngine, StatementLimit } from '../statement/statement-engine.ts'
import type { Answers } from './answers.ts'
import { payloadOf } from './error-payload.ts'
import type { Inbox } from './inbox.ts'
import type { KnownLayouts } from './known-layouts.ts'
import type { Privacy } from './privacy.ts'
import { answer, type Effects, flag, type RunRequest } from './protocol.ts'
import type { Texts } from './texts.ts'
import { Cancelled, whileBusy } from './waiting.ts'

export interface RunnerParts {
  readonly engine: StatementEngine
  readonly isReader: boolean
  readonly busyTimeoutMs: number
  readonly queryTimeoutMs: number | undefined
  readonly inbox: Inbox
  readonly answers: Answers
  readonly texts: Texts
  readonly layouts: KnownLayouts
  readonly privacy: Privacy
}

/** What a statement has come to. */
export type Ran =
  | {
      readonly statement: PreparedStatement
      readonly rows: readonly (readonly unknown[])[]
      readonly effects: Effects | undefined
    }
  | 'elsewhere'

/** Runs one statement at a time, and tells what it has come to. */
export class StatementRunner {
  readonly #parts: RunnerParts

  constructor(parts: RunnerParts) {
    this.#parts = parts
  }

  /** Runs a statement on its own. */
  run(request: RunRequest): void {
    const { engine, inbox, answers, busyTimeoutMs } = this.#parts
    const [id, , textId, text, , flags, begin] = request
    const isWanted = (): boolean => !inbox.wasCancelled(id)
    let isUnbegun = begin !== undefined
    // It is sent once, whatever becomes of the request that it comes with.
    this.#parts.texts.take(textId, text)
    try {
      if (inbox.isCancelled(id)) throw new Cancelled()
      if (begin !== undefined) {
        whileBusy(inbox, busyTimeoutMs, isWanted, () => engine.prepare(begin).forRun().run())
        isUnbegun = false
      }
      const { inTransaction } = engine.database
      if ((flags & flag.owned) !== 0 && !inTransaction) throw new NotOpen()
      // A statement of nobody's must never become part of somebody's transaction.
      if ((flags & (flag.owned | flag.mayGoElsewhere)) === 0 && inTransaction)
        throw new Error('A transaction is open on the connection.')
      const ran = whileBusy(inbox, busyTimeoutMs, isWanted, () => this.attempt(request))
      this.tell(request, ran)
    } catch (error) {
      if (error instanceof Cancelled) answers.add([id, answer.cancelled])
      else {
        const hasEnded = (flags & flag.owned) !== 0 && !engine.database.inTransaction
        answers.failed(id, payloadOf(error), hasEnded, isUnbegun)
      }
    }
  }

  /** Runs it, and throws what it throws. */
  attempt(request: RunRequest): Ran {
    const { engine, isReader, texts } = this.#parts
    const [, , textId, text, parameters, flags] = request
    const sql = texts.take(textId, text)
    const mayGo = (flags & flag.mayGoElsewhere) !== 0
    const first = (flags & flag.first) !== 0
    let statement: PreparedStatement
    try {
      statement = engine.prepare(sql)
    } catch (error) {
      // Of a temporary table, or one of an attached database, only the connection that writes knows.
      if (mayGo && isReader && (error as { code?: unknown }).code === 'SQLITE_ERROR')
        return 'elsewhere'
      throw error
    }
    if (mayGo && this.#goesElsewhere(statement, parameters)) return 'elsewhere'
    if (statement.isRead) {
      const { rows } = engine.read(statement, parameters, 'arrays', first, this.#limit(request))
      return { statement, rows, effects: undefined }
    }
    refuseControl(statement, (flags & flag.owned) !== 0)
    const { rows, changes, insertId } = engine.write(statement, parameters, 'arrays', first)
    if (statement.verb === 'other' || statement.verb === 'rollback to') this.#definitionsChanged()
    return { statement, rows, effects: { changes, insertId } }
  }

  tell(request: RunRequest, ran: Ran): void {
    const { answers, layouts, inbox } = this.#parts
    const [id, , textId] = request
    if (ran === 'elsewhere') {
      answers.add([id, answer.elsewhere])
      return
    }
    const { statement, rows, effects } = ran
    if (!statement.reader) {
      answers.add([id, answer.done, effects!])
      return
    }
    const { width, layout } = layouts.of(textId, statement)
    answers.rows(id, rows, layout, width, effects, () => !inbox.wasCancelled(id))
  }

  #definitionsChanged(): void {
    const { layouts, privacy } = this.#parts
    layouts.forget()
    layouts.refresh()
    privacy.look()
  }

  #goesElsewhere(statement: PreparedStatement, parameters: readonly unknown[]): boolean {
    const { engine, isReader, privacy } = this.#parts
    if (!statement.isRead) return isReader
    statement.route ??= {
      kind: readRoute(engine.database, statement, parameters),
      generation: privacy.generation,
    }
    if (statement.route.generation !== privacy.generation) {
      const kind = readRoute(engine.database, statement, parameters)
      statement.route = { kind, generation: privacy.generation }
    }
    return isReader === (statement.route.kind === 'writer')
  }

  #limit([id, , , , , flags, , timeoutMs]: RunRequest): StatementLimit | undefined {
    if ((flags & flag.stepwise) === 0 && timeoutMs === undefined) return undefined
    const { inbox } = this.#parts
    return {
      deadline: timeoutMs === undefined ? undefined : performance.now() + timeoutMs,
      signal: {
        throwIfAborted() {
          if (inbox.wasCancelled(id)) throw new Cancelled()
        },
      },
    }
  }
}

/** A statement of a transaction that is not open any more, which would run in autocommit. */
export class NotOpen extends Error {}
