import { describeError, KeelsonError } from '@keelson/core'

/** What a promise came to. */
export type Outcome = { readonly value: unknown } | { readonly error: unknown }

/** The moments of a run, counted. */
let clock = 0
export function now(): number {
  return ++clock
}

/** Something that happened, and when. */
export interface Happened {
  readonly at: number
  readonly error: unknown
}

/** The signal that all attempts of a root share. */
export class RootControl {
  readonly controller: AbortController | undefined
  readonly retries: boolean
  aborted: Happened | undefined

  constructor(hasSignal: boolean, retries: boolean) {
    this.controller = hasSignal ? new AbortController() : undefined
    this.retries = retries
  }
}

export interface RowRecord {
  readonly name: string
  /** Undefined for one that was written outside of every transaction. */
  readonly scope: ScopeRecord | undefined
  isIn: boolean
}

export interface HookRecord {
  readonly kind: 'beforeCommit' | 'afterCommit' | 'afterRollback'
  readonly scope: ScopeRecord
  readonly registeredAt: number
  isRegistered: boolean
  readonly ran: number[]
  threw: unknown
}

/** What is known of one scope of a program: the model's tree is made of these. */
export class ScopeRecord {
  readonly id: number = now()
  readonly parent: ScopeRecord | undefined
  readonly control: RootControl
  readonly keeps: boolean
  readonly attempt: number
  /** When its function returned or threw, and what. */
  endedAt = Infinity
  body: Outcome | undefined
  /** When `transaction()` settled, and how. */
  settledAt = Infinity
  outcome: Outcome | undefined
  /** The root: what made the engine end the transaction. */
  lost: Happened | undefined
  /** Statements that failed it, where a failed statement does. */
  readonly failures: Happened[] = []
  /** Statements that failed while nobody in its function waited for them. */
  readonly unseen: unknown[] = []
  /** Failures of what had joined. */
  readonly joined: Happened[] = []
  /** Statements that are to fail it and have not been answered. */
  failing = 0
  /** What was nested in it or has joined it: when the function of each ended. */
  readonly parts: { readonly endedAt: number }[] = []
  /** Of these and those that wait to begin, how many have not settled. */
  openParts = 0
  /** Some had not when its own function ended, or came even later. */
  hasLateParts = false
  /** The root: nothing in it ran side by side. */
  isOrdered = true
  readonly #whenSettled: Promise<void>
  #settled = (): void => {}

  constructor(
    parent: ScopeRecord | undefined,
    control: RootControl,
    keeps: boolean,
    attempt: number,
  ) {
    this.parent = parent
    this.control = control
    this.keeps = keeps
    this.attempt = attempt
    this.#whenSettled = new Promise((resolve) => (this.#settled = resolve))
  }

  get root(): ScopeRecord {
    return this.parent === undefined ? this : this.parent.root
  }

  /** Itself and the scopes around it, outwards. */
  get chain(): ScopeRecord[] {
    return this.parent === undefined ? [this] : [this, ...this.parent.chain]
  }

  get whenSettled(): Promise<void> {
    return this.#whenSettled
  }

  get isOver(): boolean {
    return this.chain.some(({ outcome }) => outcome !== undefined)
  }

  /** Whether what it did has become a part of what is around it. */
  get isKept(): boolean {
    const { outcome } = this
    if (outcome === undefined) return false
    if ('value' in outcome) return this.keeps
    // Its own function may have thrown one, of another transaction.
    const hasReturned = this.body !== undefined && 'value' in this.body
    return hasReturned && codeOf(outcome.error) === 'AFTER_COMMIT'
  }

  get isCommitted(): boolean {
    return this.chain.every(({ isKept }) => isKept)
  }

  /** The scope with whose rollback everything of this one has gone. */
  get undoneWith(): ScopeRecord | undefined {
    return this.chain.find(({ isKept }) => !isKept)
  }

  end(body: Outcome): void {
    if (this.body !== undefined) return
    this.body = body
    this.endedAt = now()
    if (this.openParts > 0) this.hasLateParts = true
  }

  /** A part is asked for. */
  openPart(): void {
    this.openParts++
    if (this.body !== undefined) this.hasLateParts = true
  }

  settle(outcome: Outcome): void {
    this.outcome = outcome
    this.settledAt = now()
    this.#settled()
  }

  /** Whether that is how a statement of this scope may be refused at this moment. */
  explains(error: unknown): boolean {
    const { aborted } = this.control
    if (aborted !== undefined && error === aborted.error) return true
    switch (codeOf(error)) {
      case 'TRANSACTION_CLOSED':
        return aborted !== undefined || this.chain.some(({ body }) => body !== undefined)
      case 'TRANSACTION_ABORTED':
        return (
          this.failing > 0 ||
          this.root.failing > 0 ||
          this.abortCauses.includes((error as Error).cause)
        )
      default:
        return false
    }
  }

  get abortCauses(): unknown[] {
    const { lost } = this.root
    return [...(lost === undefined ? [] : [lost.error]), ...this.failures.map(({ error }) => error)]
  }

  /** Whether a statement that is sent now has to be refused. */
  get mustRefuse(): boolean {
    return this.isOver || this.root.lost !== undefined || this.failures.length > 0
  }
}

export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | null | undefined)?.code
}

/** The engine's own error, not a refusal for which it is the cause. */
export function isUniqueViolation(error: unknown): boolean {
  return !(error instanceof KeelsonError) && describeError(error).category === 'unique'
}

export async function outcomeOf(promise: Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await promise }
  } catch (error) {
    return { error }
  }
}

export function show(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'nothing'
  if ('value' in outcome) return `value ${String(outcome.value)}`
  const { error } = outcome
  const { cause } = error as Error
  const because = cause === undefined ? '' : ` because of ${(cause as Error).message}`
  return `${codeOf(error) ?? ''} ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}${because}`
}
