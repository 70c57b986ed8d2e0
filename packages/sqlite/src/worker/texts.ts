/** The texts of statements by number; each is sent once. */
export class Texts {
  readonly #texts = new Map<number, string>()

  take(id: number, text: string | undefined): string {
    if (text === undefined) return this.#texts.get(id)!
    this.#texts.set(id, text)
    return text
  }

  forget(): void {
    this.#texts.clear()
  }
}
