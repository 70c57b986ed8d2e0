import { AsyncLocalStorage } from 'node:async_hooks'
import { started } from '@keelson/core'
import { columnOf } from '../insert/row-fault.ts'
import type { BufferSettings } from './buffer-options.ts'

/** A callback that is under way. */
interface Running {
  /** Resolves when nobody has to wait for it any more. */
  readonly over: Promise<void>
  readonly leave: () => void
}

/** Calls what the user has handed over, where it was handed over. What it throws becomes a warning, and stops nothing. */
export class Callbacks {
  readonly #settings: BufferSettings
  readonly #inContext = AsyncLocalStorage.snapshot()
  readonly #running = new Set<Running>()
  readonly #current = new AsyncLocalStorage<Running>()

  constructor(settings: BufferSettings) {
    this.#settings = settings
  }

  /** Whether somebody hears of every row that is not written. */
  get hearsOfAll(): boolean {
    return this.#settings.onLost !== undefined
  }

  rejected(row: object, error: unknown, column: string | undefined = columnOf(error)): void {
    const { onRejected } = this.#settings
    if (onRejected === undefined) this.lost(row, error)
    else this.#call(() => onRejected({ row, column, error }))
  }

  lost(row: object, error: unknown): void {
    const { onLost } = this.#settings
    if (onLost !== undefined) this.#call(() => onLost({ row, error }))
  }

  stopped(error: unknown): void {
    const { onStopped } = this.#settings
    if (onStopped !== undefined) this.#call(() => onStopped(error))
  }

  /** Resolves when those that are under way have ended, but for those that have said `leave()`. */
  async idle(): Promise<void> {
    await Promise.all([...this.#running].map(({ over }) => over))
  }

  /** The callback that this is called from, if any, is about to wait for somebody who would wait for it. */
  leave(): void {
    this.#current.getStore()?.leave()
  }

  #call(callback: () => unknown): void {
    const running = newRunning()
    try {
      const result = this.#inContext(() => this.#current.run(running, () => started(callback())))
      if (!(result instanceof Promise)) return
      this.#running.add(running)
      void result
        .then(() => {}, warn)
        .finally(() => {
          this.#running.delete(running)
          running.leave()
        })
    } catch (error) {
      warn(error)
    }
  }
}

function newRunning(): Running {
  let leave!: () => void
  const over = new Promise<void>((resolve) => (leave = resolve))
  return { over, leave }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}
