interface Waiter<H> {
  readonly holder: H
  readonly admit: () => void
}

/** One at a time, the others in the order in which they came. */
export class Turn<H> {
  #holder: H | undefined
  readonly #waiting: Waiter<H>[] = []

  /** Who has the turn. */
  get holder(): H | undefined {
    return this.#holder
  }

  /**
   * Waits for the turn and takes it; `pass()` ends it.
   *
   * @param timeoutMs how long to wait, in milliseconds
   * @returns whether the turn was taken in time
   */
  async take(holder: H, timeoutMs: number = Infinity): Promise<boolean> {
    if (this.#holder === undefined) {
      this.#holder = holder
      return true
    }
    return await new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined
      const waiter = {
        holder,
        admit: () => {
          clearTimeout(timer)
          resolve(true)
        },
      }
      this.#waiting.push(waiter)
      if (timeoutMs === Infinity) return
      timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        resolve(false)
      }, timeoutMs)
    })
  }

  /** Gives the turn to the next one. */
  pass(): void {
    const next = this.#waiting.shift()
    this.#holder = next?.holder
    next?.admit()
  }
}
