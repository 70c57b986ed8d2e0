const firstDelayMs = 50
const longestDelayMs = 2_000

/** Spaces the attempts to open a resource while they fail: 50 ms, doubling up to 2 s, until one succeeds. */
export class CreateBackoff {
  #failures = 0
  #untilMs = 0
  #lastError: unknown

  /** The error of the last attempt, `undefined` when it succeeded. */
  get lastError(): unknown {
    return this.#lastError
  }

  /** Milliseconds until the next attempt may start. */
  remainingMs(): number {
    return this.#failures === 0 ? 0 : Math.max(0, this.#untilMs - performance.now())
  }

  failed(error: unknown): void {
    this.#lastError = error
    this.#untilMs = performance.now() + Math.min(firstDelayMs * 2 ** this.#failures, longestDelayMs)
    this.#failures += 1
  }

  succeeded(): void {
    this.#failures = 0
    this.#lastError = undefined
  }
}
