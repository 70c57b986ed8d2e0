import { AsyncLocalStorage } from 'node:async_hooks'
import { started } from '@keelson/core'
import { columnOf } from '../insert/row-fault.ts'
import type { BufferSettings } from './buffer-options.ts'

/** Calls what the user has handed over, where it was handed over. What it throws becomes a warning, and stops nothing. */
export class Callbacks {
  readonly #settings: BufferSettings
  readonly #inContext = AsyncLocalStorage.snapshot()
  readonly #running = new Set<Promise<void>>()

  constructor(settings: BufferSettings) {
    this.#settings = settings
  }

  /** Whether somebody hears of every row that is not written. */
  get hearsOfAll(): boolean {
    return this.#settings.onLost !== undefined
  }

  rejected(row: object, error: unknown): void {
    const { onRejected } = this.#settings
    if (onRejected === undefined) this.lost(row, error)
    else this.#call(() => onRejected({ row, column: columnOf(error), error }))
  }

  lost(row: object, error: unknown): void {
    const { onLost } = this.#settings
    if (onLost !== undefined) this.#call(() => onLost({ row, error }))
  }

  stopped(error: unknown): void {
    const { onStopped } = this.#settings
    if (onStopped !== undefined) this.#call(() => onStopped(error))
  }

  /** Resolves when those that are under way have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#running)
  }

  #call(callback: () => unknown): void {
    try {
      const result = this.#inContext(() => started(callback()))
      if (!(result instanceof Promise)) return
      const running: Promise<void> = result
        .then(() => {}, warn)
        .finally(() => this.#running.delete(running))
      this.#running.add(running)
    } catch (error) {
      warn(error)
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}
