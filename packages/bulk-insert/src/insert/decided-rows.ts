/** How far all rows of the input are decided, where they are not decided in their order. */
export class DecidedRows {
  readonly #ahead = new Set<number>()
  #end: number

  /** @param end rows from the beginning of the input that are decided already */
  constructor(end: number) {
    this.#end = end
  }

  get end(): number {
    return this.#end
  }

  add(index: number): void {
    this.#ahead.add(index)
    while (this.#ahead.delete(this.#end)) this.#end++
  }
}
