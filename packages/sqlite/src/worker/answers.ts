import type { MessagePort } from 'node:worker_threads'
import {
  type Answer,
  answer,
  type Effects,
  type ErrorPayload,
  type Layout,
  slot,
} from './protocol.ts'
import { packAnswer } from './packing.ts'
import { columnsOf, fewRows, flatValues } from './row-encoding.ts'

/** Rows of a large result that are sent at once. */
const rowsPerPart = 500

/** Parts that may be on their way, so that the calling thread has turns in between. */
const partsAhead = 4

/** Answers that wait are sent after this many: the calling thread works on these while others are made. */
const mostWaiting = 32

/** What this thread has to say, sent in batches. */
export class Answers {
  readonly #port: MessagePort
  readonly #shared: Int32Array
  #waiting: unknown[] = [0]
  #count = 0
  #partsSent = 0
  #beganMs = 0

  constructor(port: MessagePort, shared: SharedArrayBuffer) {
    this.#port = port
    this.#shared = new Int32Array(shared)
  }

  /** Work begins whose answers come next. */
  begin(): void {
    this.#beganMs = performance.now()
  }

  add(given: Answer): void {
    packAnswer(this.#waiting, given)
    if (++this.#count >= mostWaiting) this.flush()
  }

  flush(): void {
    if (this.#count === 0) return
    const now = performance.now()
    Atomics.add(this.#shared, slot.worked, Math.round((now - this.#beganMs) * 1_000))
    this.#beganMs = now
    this.#waiting[0] = this.#count
    this.#port.postMessage(this.#waiting)
    this.#waiting = [0]
    this.#count = 0
  }

  failed(id: number, error: ErrorPayload, hasEnded: boolean, isUnbegun = false): void {
    this.add([id, answer.failed, error, hasEnded, isUnbegun])
  }

  /**
   * @param isWanted asked between parts; false ends the result
   * @returns whether any of it was sent, and the layout with it
   */
  rows(
    id: number,
    rows: readonly (readonly unknown[])[],
    layout: Layout | undefined,
    width: number,
    effects: Effects | undefined,
    isWanted: () => boolean,
  ): boolean {
    const count = rows.length
    if (count < fewRows) {
      this.add([id, answer.flat, flatValues(rows, width), count, layout, effects])
      return true
    }
    if (count <= rowsPerPart) {
      this.add([
        id,
        answer.columns,
        columnsOf(rows, 0, count, width),
        count,
        layout,
        effects,
        false,
        false,
      ])
      return true
    }
    for (let from = 0; from < count; from += rowsPerPart) {
      if (!this.#awaitRoom(isWanted)) {
        this.add([id, answer.cancelled])
        return from > 0
      }
      const to = Math.min(from + rowsPerPart, count)
      const columns = columnsOf(rows, from, to, width)
      const isFirst = from === 0
      this.add([
        id,
        answer.columns,
        columns,
        to - from,
        isFirst ? layout : undefined,
        effects,
        to < count,
        true,
      ])
      this.flush()
      this.#partsSent = (this.#partsSent + 1) | 0
    }
    return true
  }

  #awaitRoom(isWanted: () => boolean): boolean {
    for (;;) {
      const taken = Atomics.load(this.#shared, slot.taken)
      if (((this.#partsSent - taken) | 0) < partsAhead) return true
      if (!isWanted()) return false
      Atomics.wait(this.#shared, slot.taken, taken, 50)
    }
  }
}
