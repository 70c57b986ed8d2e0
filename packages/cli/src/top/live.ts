import { once } from 'node:events'
import { emitKeypressEvents } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { styleText } from 'node:util'
import { type Activity, between, sinceBeginning } from './activity.ts'
import { type Endpoint, EndpointError, type ServedReport } from './endpoint.ts'
import { frame } from './frame.ts'
import { Screen } from './screen.ts'
import { sortings } from './sorting.ts'

/** How the table lives. */
export interface LiveOptions {
  readonly intervalMs: number
  readonly sort: string
  readonly limit: number
}

interface Key {
  readonly name?: string
  readonly ctrl?: boolean
}

/**
 * Shows what happens, again and again, until somebody presses `q`. A report that fails to come is told of and asked for again,
 * since applications are restarted; only the first one has to come.
 *
 * @throws {EndpointError} when the first report cannot be had
 */
export async function showLive(endpoint: Endpoint, options: LiveOptions): Promise<void> {
  const first = await endpoint.report()
  const live = new Live(endpoint, options, first)
  try {
    await live.run()
  } finally {
    live.close()
  }
}

class Live {
  readonly #endpoint: Endpoint
  readonly #options: LiveOptions
  readonly #screen = new Screen(process.stdout)
  readonly #over = new AbortController()
  /** Ends the wait for the next report. */
  #awake = new AbortController()
  #sort: string
  #isPaused = false
  #isSinceBeginning = false
  #earlier: ServedReport | undefined
  #later: ServedReport
  #trouble: string | undefined
  readonly #onKey = (_: unknown, key: Key): void => this.#press(key)
  readonly #onResize = (): void => this.#draw()

  constructor(endpoint: Endpoint, options: LiveOptions, first: ServedReport) {
    this.#endpoint = endpoint
    this.#options = options
    this.#sort = options.sort
    this.#later = first
    process.stdout.on('resize', this.#onResize)
    if (!process.stdin.isTTY) return
    emitKeypressEvents(process.stdin)
    process.stdin.setRawMode(true).on('keypress', this.#onKey).resume()
  }

  async run(): Promise<void> {
    const { signal } = this.#over
    while (!signal.aborted) {
      this.#draw()
      this.#awake = new AbortController()
      const wait = AbortSignal.any([signal, this.#awake.signal])
      await setTimeout(this.#options.intervalMs, undefined, { signal: wait }).catch(() => undefined)
      // Nothing is asked for while nobody wants to see it change.
      while (this.#isPaused && !signal.aborted)
        await once(this.#awake.signal, 'abort', { signal }).catch(() => undefined)
      if (!signal.aborted) await this.#poll(signal)
    }
  }

  close(): void {
    process.stdout.off('resize', this.#onResize)
    this.#screen.close()
    if (!process.stdin.isTTY) return
    process.stdin.off('keypress', this.#onKey).setRawMode(false).pause()
  }

  async #poll(signal: AbortSignal): Promise<void> {
    try {
      const report = await this.#endpoint.report(signal)
      this.#earlier = this.#later
      this.#later = report
      this.#trouble = undefined
    } catch (error) {
      if (!(error instanceof EndpointError)) throw error
      this.#trouble = `${error.message} Asking again …`
    }
  }

  #press({ name, ctrl }: Key): void {
    if (name === 'q' || name === 'escape' || (ctrl === true && (name === 'c' || name === 'd'))) {
      this.#over.abort()
      return
    }
    if (name === 's') this.#sort = sortings[(sortings.indexOf(this.#sort) + 1) % sortings.length]!
    else if (name === 't') this.#isSinceBeginning = !this.#isSinceBeginning
    else if (name === 'p') this.#pause(!this.#isPaused)
    else if (name === 'space') this.#pause(false)
    else return
    this.#draw()
  }

  #pause(isPaused: boolean): void {
    this.#isPaused = isPaused
    if (!isPaused) this.#awake.abort()
  }

  #activity(): Activity {
    return this.#isSinceBeginning || this.#earlier === undefined
      ? sinceBeginning(this.#later)
      : between(this.#earlier, this.#later)
  }

  #draw(): void {
    const activity = this.#activity()
    const span =
      activity.seconds === undefined
        ? 'since the beginning'
        : `the last ${activity.seconds.toFixed(1)} s`
    const { width, height } = this.#screen
    const { limit, intervalMs } = this.#options
    const what = this.#isPaused ? 'p go on' : 'p pause'
    this.#screen.show(
      frame(activity, {
        width,
        height,
        sort: this.#sort,
        limit,
        title: titleOf(this.#endpoint, activity, this.#isPaused ? `${span}, paused` : span),
        trouble: this.#trouble,
        footer: `q quit   s sort by: ${this.#sort}   t ${activity.seconds === undefined ? 'only what is new' : 'since the beginning'}   ${what}   every ${intervalMs / 1000} s`,
      }),
    )
  }
}

/** The first line: what is looked at, and when. */
export function titleOf(endpoint: Endpoint, { takenAt }: Activity, span: string): string {
  const name = styleText('bold', 'keelson top', { stream: process.stdout })
  return `${name}   ${endpoint.href}   ${takenAt.slice(11, 19)} UTC   ${span}`
}
