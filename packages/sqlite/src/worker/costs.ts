/** What takes longer keeps those waiting whose answers are there already, in milliseconds. */
const longMs = 0.2

/** How much of the average the last time makes. */
const weight = 0.2

/** How long statements take, by the number of their text: a moving average. */
export class Costs {
  readonly #costs = new Map<number, number>()

  /** Whether it may take long; what was never run may. */
  isLong(textId: number): boolean {
    return (this.#costs.get(textId) ?? Infinity) > longMs
  }

  note(textId: number, ms: number): void {
    const before = this.#costs.get(textId) ?? ms
    this.#costs.set(textId, before + (ms - before) * weight)
  }

  forget(): void {
    this.#costs.clear()
  }
}
