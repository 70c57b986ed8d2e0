import type { BetterSqlite3Statement } from '../better-sqlite3.ts'
import { StatementKinds } from '../statement/statement-kinds.ts'
import { answer, ask, flag, type RunRequest } from './protocol.ts'
import { payloadOf } from './error-payload.ts'
import type { Ran, RunnerParts, StatementRunner } from './statement-runner.ts'
import { Cancelled, whileBusy } from './waiting.ts'

/** Statements in one commit, at most. */
const mostStatements = 256

/** How long a group may take before it is committed, in milliseconds: nobody is answered before. */
const mostMs = 2

/** Errors after which a statement that failed has undone itself, and the transaction goes on. */
const harmless = /^SQLITE_(?:CONSTRAINT|ERROR$|MISMATCH$|TOOBIG$|RANGE$|AUTH$)/

/**
 * Commits statements of several callers together, which each would have been committed alone: taking the lock and writing
 * the log costs more than most of them. What each comes to is the same. Nobody is answered before the commit; where
 * anything else than the failure of one statement happens, all of it is undone, and they run one by one.
 */
export class GroupCommit {
  readonly #parts: RunnerParts
  readonly #runner: StatementRunner
  readonly #kinds = new StatementKinds(1_000)
  #readVersion: BetterSqlite3Statement | undefined
  #mayGroup: { readonly version: number; readonly may: boolean } | undefined
  /** What is deferred by a PRAGMA is so until the next commit. */
  #isHeld = false

  constructor(parts: RunnerParts, runner: StatementRunner) {
    this.#parts = parts
    this.#runner = runner
  }

  /** Call after a PRAGMA: the next statement has a commit of its own. */
  hold(): void {
    this.#isHeld = true
  }

  /** Runs those at the head of the queue that can be committed together. @returns whether there were any */
  run(): boolean {
    const { inbox, engine } = this.#parts
    if (inbox.size < 2 || engine.database.inTransaction) return false
    if (this.#isHeld) {
      this.#isHeld = false
      return false
    }
    const size = this.#groupable()
    if (size < 2 || (this.#mayGroup?.may === false && !this.#schemaAllows())) return false
    const requests: RunRequest[] = []
    for (let count = 0; count < size; count++) requests.push(inbox.shift() as RunRequest)
    this.#runAll(requests)
    return true
  }

  #groupable(): number {
    const { inbox } = this.#parts
    let size = 0
    while (size < mostStatements) {
      const request = inbox.peek(size)
      if (request === undefined || request[1] !== ask.run || !this.#isPlainWrite(request)) break
      size++
    }
    return size
  }

  #isPlainWrite(request: RunRequest): boolean {
    const [, , textId, text, , flags] = request
    if ((flags & (flag.owned | flag.mayGoElsewhere)) !== 0) return false
    const { verb, readsConnection } = this.#kinds.of(this.#parts.texts.take(textId, text))
    // What was undone is remembered all the same.
    return (verb === 'insert' || verb === 'update' || verb === 'delete') && !readsConnection
  }

  /** A deferrable foreign key is checked by each commit: https://www.sqlite.org/foreignkeys.html#fk_deferred */
  #schemaAllows(): boolean {
    const { database } = this.#parts.engine
    this.#readVersion ??= database.prepare('pragma schema_version').raw(true)
    const [version] = this.#readVersion.get() as [number]
    if (this.#mayGroup?.version !== version) {
      const [found] = database
        .prepare("select exists(select 1 from sqlite_schema where sql like '%deferr%')")
        .raw(true)
        .get() as [number]
      this.#mayGroup = { version, may: found === 0 }
    }
    return this.#mayGroup.may
  }

  #runAll(requests: readonly RunRequest[]): void {
    let rest = requests
    while (rest.length > 0) {
      const done = rest.length === 1 ? 0 : this.#commit(rest)
      if (done === 0) {
        // One by one, as they would have been.
        for (const request of rest) {
          this.#parts.inbox.begin(request[0], request[0])
          this.#runner.run(request)
        }
        return
      }
      rest = rest.slice(done)
    }
  }

  /** @returns how many were committed; 0 where nothing was */
  #commit(requests: readonly RunRequest[]): number {
    const { engine, inbox, busyTimeoutMs } = this.#parts
    const { database } = engine
    inbox.begin(requests[0]![0], requests.at(-1)![0])
    const isWanted = (): boolean => requests.some(([id]) => !inbox.wasCancelled(id))
    try {
      whileBusy(inbox, busyTimeoutMs, isWanted, () =>
        engine.prepare('begin immediate').forRun().run(),
      )
    } catch {
      // Each says for itself what keeps it from running.
      return 0
    }
    const outcomes: (Ran | Cancelled | { readonly error: unknown })[] = []
    const end = performance.now() + mostMs
    try {
      // Seen in the transaction, so that no other process changes it meanwhile.
      if (!this.#schemaAllows()) {
        engine.prepare('rollback').forRun().run()
        return 0
      }
      for (const request of requests) {
        outcomes.push(this.#attempt(request))
        if (!database.inTransaction) return 0
        if (performance.now() > end) break
      }
      engine.prepare('commit').forRun().run()
    } catch {
      if (database.inTransaction) engine.prepare('rollback').forRun().run()
      return 0
    }
    for (const [index, outcome] of outcomes.entries()) this.#tell(requests[index]!, outcome)
    return outcomes.length
  }

  /** @throws what is not the failure of this one statement alone */
  #attempt(request: RunRequest): Ran | Cancelled | { readonly error: unknown } {
    if (this.#parts.inbox.isCancelled(request[0])) return new Cancelled()
    try {
      return this.#runner.attempt(request)
    } catch (error) {
      const { code } = error as { readonly code?: unknown }
      const isOfSqlite = typeof code === 'string' && code.startsWith('SQLITE_')
      if (isOfSqlite && !harmless.test(code)) throw error
      return { error }
    }
  }

  #tell(request: RunRequest, outcome: Ran | Cancelled | { readonly error: unknown }): void {
    const { answers } = this.#parts
    const [id] = request
    if (outcome instanceof Cancelled) answers.add([id, answer.cancelled])
    else if (typeof outcome === 'object' && 'error' in outcome)
      answers.failed(id, payloadOf(outcome.error), false)
    else this.#runner.tell(request, outcome)
  }
}
