interface Waiter {
  readonly through: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Those who wait until all rows up to one of them are decided. */
export class FlushWaiters {
  #waiters: Waiter[] = []

  /** @param through the place of the last row to wait for */
  wait(through: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ through, resolve, reject })
    })
  }

  get length(): number {
    return this.#waiters.length
  }

  /** @param oldest the place of the first row that is not decided */
  decided(oldest: number): void {
    this.#waiters = this.#waiters.filter(({ through, resolve }) => {
      if (oldest <= through) return true
      resolve()
      return false
    })
  }

  fail(error: unknown): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error)
  }
}
