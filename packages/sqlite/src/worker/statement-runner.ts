import { refuseControl } from '../statement/statement-rules.ts'
import type { PreparedStatement } from '../statement/prepared-statement.ts'
import type { StatementEngine, StatementLimit } from '../statement/statement-engine.ts'
import type { Answers } from './answers.ts'
import { answering, whileWanted } from './answering.ts'
import type { Inbox } from './inbox.ts'
import type { KnownLayouts } from './known-layouts.ts'
import { preparedHere } from './place.ts'
import type { Privacy } from './privacy.ts'
import { answer, type Effects, flag, nothing, type RunRequest } from './protocol.ts'
import type { Texts } from './texts.ts'
import { Cancelled } from './waiting.ts'

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
  /** The last transaction that was begun for somebody. */
  readonly lastBegun: { transaction: number }
}

/** What a statement has come to. */
export type Ran =
  | {
      readonly statement: PreparedStatement
      readonly rows: readonly (readonly unknown[])[]
      readonly effects: Effects | undefined
    }
  | 'elsewhere'
  | 'here'

/** Runs one statement at a time, and tells what it has come to. */
export class StatementRunner {
  readonly #parts: RunnerParts

  constructor(parts: RunnerParts) {
    this.#parts = parts
  }

  /** Runs a statement on its own. */
  run(request: RunRequest): void {
    const parts = this.#parts
    const { engine, inbox } = parts
    const [id, , textId, text, , flags, begin] = request
    // It is sent once, whatever becomes of the request that it comes with.
    parts.texts.take(textId, text)
    if (inbox.isCancelled(id)) {
      parts.answers.add([id, answer.cancelled])
      return
    }
    answering(parts, { id, begin, isOwned: (flags & flag.owned) !== 0 }, () => {
      // A statement of nobody's must never become part of somebody's transaction.
      if ((flags & (flag.owned | flag.mayGoElsewhere)) === 0 && engine.database.inTransaction)
        throw new Error('A transaction is open on the connection.')
      this.tell(
        request,
        whileWanted(parts, id, () => this.attempt(request)),
      )
    })
  }

  /** Runs it, and throws what it throws. */
  attempt(request: RunRequest): Ran {
    const { engine, texts } = this.#parts
    const [, , textId, text, parameters, flags] = request
    const sql = texts.take(textId, text)
    const first = (flags & flag.first) !== 0
    const mayGo = (flags & flag.mayGoElsewhere) !== 0
    const statement = preparedHere(this.#parts, sql, parameters, mayGo)
    if (statement === 'elsewhere') return statement
    if ((flags & flag.onlyRoute) !== 0) return 'here'
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
    if (ran === 'here') {
      answers.add([id, answer.done, nothing])
      return
    }
    const { statement, rows, effects } = ran
    if (!statement.reader) {
      answers.add([id, answer.done, effects!])
      return
    }
    const { width, layout } = layouts.of(textId, statement)
    const isWanted = (): boolean => !inbox.wasCancelled(id)
    const wasSent = answers.rows(id, rows, layout, width, effects, isWanted)
    if (!wasSent && layout !== undefined) layouts.forgetOne(textId)
  }

  #definitionsChanged(): void {
    const { layouts, privacy } = this.#parts
    layouts.forget()
    layouts.refresh()
    privacy.look()
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
