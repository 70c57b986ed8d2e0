import type { StatementKind } from '../statement/statement-kinds.ts'
import type { Asked } from './interest.ts'
import type { Reply, RunOptions, Thread } from './thread.ts'

/** What a statement that has not run yet is taken to need, in microseconds: enough to have a thread for itself. */
const unknownUs = 1_000

/** How much of what is known of a statement is what it took the last time. */
const weightOfLast = 0.25

/** A read on its way. */
export class Read implements Asked {
  readonly reply: Promise<Reply>
  readonly sql: string
  readonly parameters: readonly unknown[]
  readonly options: RunOptions
  readonly kind: StatementKind
  settle!: (reply: Reply) => void
  thread: Thread | undefined
  /** The number of the request to that thread. */
  id = 0
  /** What it was taken to need when it was sent. */
  costUs = 0
  /** Counts how often it was sent: what comes of an earlier time does not matter. */
  turn = 0
  reason: unknown
  readonly #giveUp: (read: Read, reason: unknown) => void

  constructor(
    sql: string,
    parameters: readonly unknown[],
    options: RunOptions,
    kind: StatementKind,
    giveUp: (read: Read, reason: unknown) => void,
  ) {
    this.sql = sql
    this.parameters = parameters
    this.options = options
    this.kind = kind
    this.#giveUp = giveUp
    this.reply = new Promise((resolve) => {
      this.settle = resolve
    })
  }

  /** How long it will take, in microseconds. */
  get expectedUs(): number {
    return this.kind.costUs ?? unknownUs
  }

  /** @param us how long it has taken, in microseconds */
  took(us: number): void {
    const { kind } = this
    kind.costUs = kind.costUs === undefined ? us : kind.costUs + (us - kind.costUs) * weightOfLast
  }

  get isRunning(): boolean {
    return this.thread !== undefined && this.thread.isRunning(this.id)
  }

  giveUp(reason: unknown): true {
    this.#giveUp(this, reason)
    return true
  }

  abandon(reason: unknown): void {
    this.#giveUp(this, reason)
  }
}
