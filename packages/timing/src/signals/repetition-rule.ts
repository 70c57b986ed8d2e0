import { callSite, captureCallSite } from '@keelson/core'
import type { Observation } from '../record/observation.ts'
import type { Repetition, Scope } from '../record/scopes.ts'
import type { QueryStats } from '../stats/query-stats.ts'
import { otherText } from '../stats/registry.ts'
import type { Raised } from './raised.ts'

/** Of a scope that never ends. */
const maxFingerprints = 1_000

/**
 * Finds queries that one scope sends again and again from the same place in the code: `nplusone` with other values each
 * time, `duplicate` with the same ones. The call site is what makes it certain: a loop has one, two parts of a page that
 * need the same thing have two (the rule of Prosopite, https://github.com/charkost/prosopite).
 *
 * The stack is looked at only for the last calls before the limit, which costs a few microseconds each.
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
    const { fp } = stats
    const { kind, params } = observation
    // What has no place of its own could be any query.
    if (kind === 'batch' || kind === 'bulk' || stats.fp.text === otherText) return
    const limit = scope.strict?.limit ?? this.#limit
    const known = scope.repetitions.get(fp.id)
    if (known === undefined) {
      if (scope.repetitions.size >= maxFingerprints) return
      const first = newRepetition(params)
      scope.repetitions.set(fp.id, first)
      // Of two calls both have to be looked at.
      if (limit > 2) return
      first.site = callSite((observation.site ??= captureCallSite()))
      first.atSite = 1
      return
    }
    known.count++
    known.haveSameParams &&= sameValues(known.firstParams, params)
    if (known.count < limit - 1) return
    observation.site ??= captureCallSite()
    const site = callSite(observation.site)
    if (site === undefined) return
    // The calls before those that were looked at are taken to be from there: the next one has to be, too.
    if (known.site !== site) {
      known.site = site
      known.atSite = 1
      return
    }
    known.atSite++
    if (known.atSite === 2) this.#raise(scope, stats, known)
  }

  #raise(scope: Scope, { fp }: QueryStats, { count, site, haveSameParams }: Repetition): void {
    const type = haveSameParams ? 'duplicate' : 'nplusone'
    this.#raised.raise(`${fp.id} ${site} ${scope.strict?.id ?? ''}`, {
      type,
      level: 'warn',
      fp: fp.id,
      evidence: { summary: fp.summary, sql: fp.text, count, scope: scope.name, site },
      fix: haveSameParams ? duplicateFix(fp.summary) : repetitionFix(fp.operation, fp.summary),
    })
  }
}

function newRepetition(params: readonly unknown[]): Repetition {
  return { count: 1, site: undefined, atSite: 0, firstParams: [...params], haveSameParams: true }
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
