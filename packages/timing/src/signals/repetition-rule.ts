import { callSite, captureCallSite, type QueryFingerprint } from '@keelson/core'
import { writeIn } from '../fingerprint/write-in.ts'
import type { Observation } from '../record/observation.ts'
import type { Repetition, Scope } from '../record/scopes.ts'
import type { QueryStats } from '../stats/query-stats.ts'
import type { Raised } from './raised.ts'

/** Of a scope that never ends. */
const maxFingerprints = 1_000
/** Places in the code that are counted apart for one of them. */
const maxSites = 16
/** Values that are compared, and how long a text among them may be. */
const mostValues = 32
const longestValue = 256

/**
 * Finds queries that one scope sends again and again from the same place in the code: `nplusone` with other values each
 * time, and of writes, `duplicate` of reads with the same ones. The call site is what makes it certain: a loop has one, two
 * parts of a page that need the same thing have two (the rule of Prosopite, https://github.com/charkost/prosopite).
 *
 * The stack is looked at only from the last call before the limit until it was told of, which costs a few microseconds each.
 */
export class RepetitionRule {
  readonly #limit: number
  readonly #raised: Raised

  /** @param limit calls from one place that raise a signal */
  constructor(limit: number, raised: Raised) {
    this.#limit = limit
    this.#raised = raised
  }

  /** To be called when the statement is sent, while its caller can still be found. */
  sent(scope: Scope, stats: QueryStats, observation: Observation): void {
    const { kind, params, database, sql } = observation
    if (kind === 'batch' || kind === 'bulk') return
    const limit = scope.strict?.limit ?? this.#limit
    // Its statistics may be others at the next call: a fingerprint gets a place the second time, and may lose it.
    const fp = database.registry.fingerprintIn(stats, sql)
    const known = scope.repetitionOf(database, fp.id)
    if (known === undefined) {
      if (scope.fingerprints >= maxFingerprints) return
      const first = newRepetition(params)
      scope.addRepetition(database, fp.id, first)
      // Of two calls both have to be looked at.
      if (limit === 2) this.#count(first, observation)
      return
    }
    if (known.isRaised) return
    known.count++
    if (known.firstParams !== undefined && !sameValues(known.firstParams, params))
      known.firstParams = undefined
    if (known.count < limit - 1) return
    const [site, count] = this.#count(known, observation)
    // The calls before those that were looked at are taken to be from there, as long as all since are; else they are counted.
    if (site !== undefined && count === (known.sites.size === 1 ? 2 : limit))
      this.#raise(scope, fp, known, site)
  }

  #count(
    { sites }: Repetition,
    observation: Observation,
  ): [site: string | undefined, count: number] {
    const site = callSite((observation.site ??= captureCallSite()))
    if (site === undefined || (sites.size >= maxSites && !sites.has(site))) return [undefined, 0]
    const count = (sites.get(site) ?? 0) + 1
    sites.set(site, count)
    return [site, count]
  }

  #raise(scope: Scope, fp: QueryFingerprint, known: Repetition, site: string): void {
    const { count, firstParams } = known
    // A write that is sent again changes something again.
    const write = writeIn(fp.text)
    const isDuplicate = firstParams !== undefined && write === undefined
    known.isRaised = true
    known.firstParams = undefined
    this.#raised.raise(`${fp.id} ${site} ${scope.strict?.id ?? ''}`, {
      type: isDuplicate ? 'duplicate' : 'nplusone',
      level: 'warn',
      fp: fp.id,
      evidence: { summary: fp.summary, sql: fp.text, count, scope: scope.name, site },
      fix: isDuplicate
        ? duplicateFix(fp.summary)
        : repetitionFix(write ?? fp.operation, fp.summary),
    })
  }
}

function newRepetition(params: readonly unknown[]): Repetition {
  const firstParams = params.length <= mostValues && params.every(isSmall) ? [...params] : undefined
  return { count: 1, sites: new Map(), firstParams, isRaised: false }
}

/** An object is never the same as that of another call, and a long text is not kept for as long as a scope lasts. */
function isSmall(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= longestValue
  return typeof value !== 'object' || value === null
}

function sameValues(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((value, index) => Object.is(value, other[index]))
}

function duplicateFix(summary: string): string {
  return `Send ${summary} once and keep its result: the values are the same each time.`
}

function repetitionFix(operation: string, summary: string): string {
  switch (operation) {
    case 'SELECT':
    case 'WITH':
      return `Ask once for all of them: collect the keys before the loop and send ${summary} with \`where ... in (...)\`, or join it to the query that gave the keys.`
    case 'INSERT':
    case 'REPLACE':
      return `Insert all rows with one statement, or with bulkInsert(), in place of ${summary} in a loop.`
    default:
      return `Send one ${summary} for all rows, with \`where ... in (...)\` or from a list of values.`
  }
}
