/**
 * A state that is entered at one bound and left below a lower one, so that a value that trembles at the bound does not
 * raise a signal with each look at it.
 */
export class Hysteresis {
  readonly #enter: number
  readonly #leave: number
  readonly #lasting: number
  #above = 0
  #isIn = false

  /**
   * @param enter the state is entered at it
   * @param leave it is left below it
   * @param lasting how many looks in a row have to be there
   */
  constructor(enter: number, leave: number, lasting: number) {
    this.#enter = enter
    this.#leave = leave
    this.#lasting = lasting
  }

  /** @returns whether the state was entered with this look */
  look(value: number): boolean {
    if (this.#isIn) {
      if (value < this.#leave) {
        this.#isIn = false
        this.#above = 0
      }
      return false
    }
    this.#above = value >= this.#enter ? this.#above + 1 : 0
    if (this.#above < this.#lasting) return false
    this.#isIn = true
    return true
  }
}
