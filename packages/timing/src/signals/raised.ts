import { nextEventId, type Signal } from '@keelson/core'

/** What a rule says; the rest is filled in. */
export type SignalText = Pick<Signal, 'type' | 'level' | 'evidence'> &
  Pick<Partial<Signal>, 'fp' | 'fix'>

const remembered = 50
/** Of which subjects it is known when they were last spoken of. */
const maxSubjects = 2_000

/** Passes signals on, each subject once within the cooldown, and remembers the latest. */
export class Raised {
  readonly #cooldownMs: number
  readonly #tell: (signal: Signal) => void
  readonly #lastMs = new Map<string, number>()
  readonly #recent: { readonly signal: Signal; readonly atMs: number }[] = []
  #suppressed = 0

  constructor(cooldownMs: number, tell: (signal: Signal) => void) {
    this.#cooldownMs = cooldownMs
    this.#tell = tell
  }

  /** Signals that were held back by the cooldown. */
  get suppressed(): number {
    return this.#suppressed
  }

  /** The latest ones, the newest first. */
  get recent(): readonly { readonly signal: Signal; readonly atMs: number }[] {
    return this.#recent.toReversed()
  }

  /**
   * @param subject what it is about, within its type: after a signal of that type, level and subject the next ones are
   * held back
   * @returns whether it was passed on
   */
  raise(subject: string, { fp, fix, ...text }: SignalText): boolean {
    const now = performance.now()
    const key = `${text.type} ${text.level} ${subject}`
    const last = this.#lastMs.get(key)
    if (last !== undefined && now - last < this.#cooldownMs) {
      this.#suppressed++
      return false
    }
    if (this.#lastMs.size >= maxSubjects) this.#lastMs.clear()
    this.#lastMs.set(key, now)
    const signal: Signal = Object.freeze({
      v: 1,
      id: nextEventId(),
      ...text,
      ...(fp !== undefined && { fp }),
      ...(fix !== undefined && { fix }),
    })
    this.#recent.push({ signal, atMs: now })
    if (this.#recent.length > remembered) this.#recent.shift()
    this.#tell(signal)
    return true
  }

  clear(): void {
    this.#lastMs.clear()
    this.#recent.length = 0
    this.#suppressed = 0
  }
}
