import type { AmbientTransactions, EngineTraits, Steps } from '@keelson/core'
import type { Host, HostSession } from '../host/host.ts'

/** The transaction was about to be run again by somebody else, which sends only a part of the rows. */
export class RunAgain extends Error {}

/** A database outside of every transaction of its callers, which tells whether what has failed was the COMMIT. */
export class OutsideHost implements Host {
  readonly traits: EngineTraits
  readonly dates: 'local' | 'utc'
  readonly ambient: AmbientTransactions | undefined
  readonly isSynchronous: boolean
  readonly #inner: Host
  #isCommitting = false

  constructor(inner: Host) {
    this.#inner = inner
    this.traits = inner.traits
    this.dates = inner.dates
    this.ambient = inner.ambient
    this.isSynchronous = inner.isSynchronous
  }

  get isInTransaction(): boolean {
    return this.#inner.isInTransaction
  }

  /** Whether the last transaction had done everything but be committed. */
  get isCommitting(): boolean {
    return this.#isCommitting
  }

  run<R>(fn: () => R): R {
    this.#isCommitting = false
    return this.ambient === undefined ? fn() : this.ambient.leave(fn)
  }

  *atomically<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    this.#isCommitting = false
    const state = { isBegun: false }
    const result = yield* this.#inner.atomically((session) => this.#once(state, session, fn))
    this.#isCommitting = false
    return result
  }

  *#once<R>(
    state: { isBegun: boolean },
    session: HostSession,
    fn: (session: HostSession) => Steps<R>,
  ): Steps<R> {
    this.#isCommitting = false
    // `withTransactions(..., { defaults: { retry } })`: the rows have been read. The buffer sends them again itself.
    if (state.isBegun) throw new RunAgain('The transaction is not run again within itself.')
    state.isBegun = true
    const done = yield* fn(session)
    this.#isCommitting = true
    return done
  }
}
