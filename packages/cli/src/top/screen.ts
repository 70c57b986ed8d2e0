import type { WriteStream } from 'node:tty'

const enter = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const leave = '\u001b[?7h\u001b[?25h\u001b[?1049l'
/** Terminals that know it show all of what is written between the two at once. */
const begin = '\u001b[?2026h\u001b[H'
const end = '\u001b[J\u001b[?2026l'
const clearRest = '\u001b[K'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * The terminal's other screen, on which lines are shown from the top. What was there before comes back, and the cursor with it,
 * however the process ends: by `close()`, by `process.exit()`, an error that nobody has caught, or a signal, which then
 * ends the process as it would have.
 */
export class Screen {
  readonly #stream: WriteStream
  readonly #restore = (): void => this.close()
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.close()
    process.kill(process.pid, signal)
  }
  #isOpen = true

  constructor(stream: WriteStream) {
    this.#stream = stream
    process.once('exit', this.#restore)
    for (const signal of signals) process.once(signal, this.#onSignal)
    stream.write(enter)
  }

  get width(): number {
    return this.#stream.columns
  }

  get height(): number {
    return this.#stream.rows
  }

  /** Shows lines in the place of those before; what does not fit is cut off. */
  show(lines: readonly string[]): void {
    if (!this.#isOpen) return
    const fitting = lines.slice(0, this.height).map((line) => `${line}${clearRest}`)
    this.#stream.write(`${begin}${fitting.join('\r\n')}${end}`)
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    process.off('exit', this.#restore)
    for (const signal of signals) process.off(signal, this.#onSignal)
    this.#stream.write(leave)
  }
}
