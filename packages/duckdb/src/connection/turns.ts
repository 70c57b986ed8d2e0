/** Does work piece after piece, in the order of the calls. */
export class Turns {
  /** Settles when everything is done that was asked for; `undefined` when nothing is to be done. */
  #last: Promise<void> | undefined

  /** Does the work at once where nothing is before it, so that a stack trace still shows who asked. */
  take<R>(work: () => Promise<R>): Promise<R> {
    const before = this.#last
    let settle = (): void => {}
    const last = new Promise<void>((resolve) => (settle = resolve))
    this.#last = last
    const result = before === undefined ? work() : before.then(work)
    const done = (): void => {
      if (this.#last === last) this.#last = undefined
      settle()
    }
    result.then(done, done)
    return result
  }

  /** Waits until nothing is left to be done. */
  async end(): Promise<void> {
    while (this.#last !== undefined) await this.#last
  }
}
