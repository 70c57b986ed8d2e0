import { fileURLToPath } from 'node:url'

/** Left out of messages, so that they read the same wherever they were provoked. */
const repository = fileURLToPath(new URL('../../', import.meta.url))

const SHOWN_ROWS = 12
const SHOWN_CHARACTERS = 160

/** What one party of a scenario was told in the end. */
export interface Outcome {
  readonly ok: boolean
  /** The class of the error. */
  readonly error?: string
  readonly message?: string
}

export interface Observation {
  /** The values of `t` that were there for others after everything had been closed. */
  readonly rows: readonly string[]
  /** By party: `ok` or the error. A party that is missing never heard anything. */
  readonly told: Readonly<Record<string, Outcome>>
  /** What else the case measured. */
  readonly measured: Readonly<Record<string, number | string>>
}

/** What the code of a scenario throws, to see whether its caller gets this or something else. */
export class OwnError extends Error {
  constructor() {
    super("the caller's own error")
  }
}

/** Writes down who was told what. */
export class Told {
  readonly outcomes: Record<string, Outcome> = {}
  readonly #report: (party: string, outcome: Outcome) => void

  constructor(report: (party: string, outcome: Outcome) => void) {
    this.#report = report
  }

  /** Waits for the end of what a party does. Never rejects. */
  async of(party: string, work: Promise<unknown> | (() => unknown)): Promise<void> {
    try {
      await (typeof work === 'function' ? work() : work)
      this.#note(party, { ok: true })
    } catch (error) {
      this.#note(party, failure(error))
    }
  }

  /** The same for a party whose result the scenario needs; undefined when it failed. */
  async get<T>(party: string, work: () => Promise<T>): Promise<T | undefined> {
    let result: T | undefined
    await this.of(party, async () => (result = await work()))
    return result
  }

  /** The same where nothing can be awaited. */
  ofSync(party: string, work: () => unknown): void {
    try {
      work()
      this.#note(party, { ok: true })
    } catch (error) {
      this.#note(party, failure(error))
    }
  }

  #note(party: string, outcome: Outcome): void {
    this.outcomes[party] = outcome
    this.#report(party, outcome)
  }
}

function failure(error: unknown): Outcome {
  // Drizzle puts the statement around the engine's error, which is the one that tells something.
  // Told by name, so that a process without Drizzle need not load it.
  const isWrapped = error instanceof Error && /^Drizzle(Query)?Error$/.test(error.constructor.name)
  const cause = isWrapped ? (error.cause ?? error) : error
  if (!(cause instanceof Error)) return { ok: false, error: typeof cause, message: String(cause) }
  const [line = ''] = cause.message.replaceAll(repository, '').split('\n')
  const message =
    line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS).trimEnd()}...` : line
  return { ok: false, error: cause.constructor.name, message }
}

/** `[b2]; A got its own error; B was told ok`. */
export function describe({ rows, told, measured }: Partial<Observation>): string {
  const parts: string[] = []
  if (rows !== undefined) parts.push(`kept [${listed(rows)}]`)
  for (const [name, value] of Object.entries(measured ?? {})) parts.push(`${name}: ${value}`)
  for (const [party, outcome] of Object.entries(told ?? {})) parts.push(sentence(party, outcome))
  return parts.join('; ')
}

function listed(rows: readonly string[]): string {
  if (rows.length <= SHOWN_ROWS) return rows.join(', ')
  return `${rows.slice(0, SHOWN_ROWS - 2).join(', ')}, ... ${rows.length} rows in all`
}

function sentence(party: string, { ok, error, message = '' }: Outcome): string {
  if (ok) return `${party} was told ok`
  if (error === OwnError.name) return `${party} got its own error`
  return `${party} got ${error}: ${message}`
}

/** Whether nobody was told of an error, but for those whose own code has thrown it. */
export function isSilent({ told }: Observation): boolean {
  return Object.values(told).every((outcome) => outcome.ok || outcome.error === OwnError.name)
}

/** Whether exactly these rows are there, in this order. */
export function has(observation: Observation, ...rows: readonly string[]): boolean {
  return JSON.stringify(observation.rows) === JSON.stringify(rows)
}

/** Whether all of these parties were told that all is well. */
export function ok({ told }: Observation, ...parties: readonly string[]): boolean {
  return parties.every((party) => told[party]?.ok === true)
}

/** Whether all of these parties were told of an error. */
export function failed({ told }: Observation, ...parties: readonly string[]): boolean {
  return parties.every((party) => told[party]?.ok === false)
}

/** Whether the party got the error that its own code has thrown. */
export function gotOwnError({ told }: Observation, party: string): boolean {
  return told[party]?.error === OwnError.name
}
