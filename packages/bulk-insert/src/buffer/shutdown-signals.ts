import { checkOptionNames, invalidOption } from '@keelson/core'
import { milliseconds } from './buffer-options.ts'

export interface SignalOptions {
  /** @default ['SIGTERM', 'SIGINT'] */
  readonly signals?: readonly NodeJS.Signals[] | undefined
  /** As that of `close()`. @default 30_000 */
  readonly deadlineMs?: number | undefined
}

/**
 * Closes something when the process is told to end, and then lets it end.
 *
 * @returns what takes the listeners away
 */
export function closeOnSignals(
  { signals = ['SIGTERM', 'SIGINT'], deadlineMs = 30_000 }: SignalOptions,
  close: (deadlineMs: number) => Promise<unknown>,
): () => void {
  const listener = (signal: NodeJS.Signals): void => {
    remove()
    // Until it is closed, others that are closed at the same signal see that it is not over; a second one ends the process.
    for (const each of signals) process.on(each, end)
    void close(deadlineMs)
      .catch((error: unknown) =>
        process.emitWarning(error instanceof Error ? error : String(error)),
      )
      .finally(() => end(signal))
  }
  const end = (signal: NodeJS.Signals): void => {
    for (const each of signals) process.removeListener(each, end)
    // What the signal does by itself, unless somebody else wants to say what it does.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
  }
  const remove = (): void => {
    for (const signal of signals) process.removeListener(signal, listener)
  }
  for (const signal of signals) process.on(signal, listener)
  return remove
}

export function checkSignalOptions(options: SignalOptions): void {
  checkOptionNames('handleSignals()', options, ['signals', 'deadlineMs'])
  milliseconds('deadlineMs', options.deadlineMs, 30_000)
  const { signals = ['SIGTERM'] } = options
  if (
    !Array.isArray(signals) ||
    signals.length === 0 ||
    signals.some((each) => typeof each !== 'string')
  )
    invalidOption('handleSignals()', 'signals', signals, "an array of signals, such as ['SIGTERM']")
}
