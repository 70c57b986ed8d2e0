import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { unpackRequests } from './packing.ts'
import { ask, type Request, slot } from './protocol.ts'

/**
 * What was asked of this thread, in order. It is looked for without the event loop, whose turns would cost more than most
 * statements.
 */
export class Inbox {
  readonly #port: MessagePort
  readonly #shared: Int32Array
  #queue: Request[] = []
  #at = 0
  #seen = 0
  readonly #cancelled = new Set<number>()
  /** Chunks of the open stream that may be sent. */
  credit = 0

  constructor(port: MessagePort, shared: SharedArrayBuffer) {
    this.#port = port
    this.#shared = new Int32Array(shared)
  }

  /** Sleeps until something is sent, at most so long. @returns whether nothing was */
  sleep(ms: number): boolean {
    Atomics.store(this.#shared, slot.sleeping, 1)
    const woken = Atomics.wait(this.#shared, slot.bell, this.#seen, ms)
    Atomics.store(this.#shared, slot.sleeping, 0)
    return woken === 'timed-out'
  }

  /** Nobody wants anything any more of what was asked for. */
  get isStopped(): boolean {
    return Atomics.load(this.#shared, slot.stop) !== 0
  }

  /** Takes in what has arrived. */
  drain(): void {
    const bell = Atomics.load(this.#shared, slot.bell)
    if (bell === this.#seen) return
    this.#seen = bell
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: unknown[] } | undefined
      if (received === undefined) break
      unpackRequests(received.message, this.#take)
    }
  }

  readonly #take = (request: Request): void => {
    if (request[1] === ask.cancel) this.#cancelled.add(request[0])
    else if (request[1] === ask.more) this.credit++
    else this.#queue.push(request)
  }

  /** How many wait. */
  get size(): number {
    return this.#queue.length - this.#at
  }

  /** The one so far behind the next. */
  peek(ahead = 0): Request | undefined {
    return this.#queue[this.#at + ahead]
  }

  shift(): Request {
    const request = this.#queue[this.#at++]!
    if (this.#at === this.#queue.length) {
      this.#queue = []
      this.#at = 0
    }
    return request
  }

  /**
   * From here on these run. Whoever cancels one of them looks at this after having told; so what is told before is seen
   * here, and what comes later finds them running.
   */
  begin(from: number, to: number): void {
    Atomics.store(this.#shared, slot.runningTo, to)
    Atomics.store(this.#shared, slot.runningFrom, from)
    this.drain()
  }

  /** None runs. */
  end(): void {
    Atomics.store(this.#shared, slot.runningFrom, 0)
    // What was cancelled has been answered by now, unless it still waits.
    if (this.#cancelled.size > 0 && this.size === 0) this.#cancelled.clear()
  }

  /** Whether nobody wants this one any more, as far as is known, or none. */
  isCancelled(id: number): boolean {
    return (this.#cancelled.size > 0 && this.#cancelled.has(id)) || this.isStopped
  }

  /** Looks whether a request was cancelled meanwhile. */
  wasCancelled(id: number): boolean {
    this.drain()
    return this.isCancelled(id)
  }
}
