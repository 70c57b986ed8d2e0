import { codeOf, type HookRecord, type Outcome, type ScopeRecord, show } from './records.ts'
import type { Trace } from './trace.ts'

/** Says what of a play contradicts the model, once everything has settled. */
export function contradictions({ scopes, hooks, violations }: Trace): string[] {
  return [
    ...violations,
    ...scopes.flatMap((scope) => ofOutcome(scope, hooks)),
    ...scopes.flatMap((scope) => ofRetry(scope, scopes)),
    ...hooks.flatMap((hook) => ofHook(hook, hooks)),
    ...ofOrder(hooks),
  ]
}

/** The names that must be in the table. */
export function expectedNames({ rows }: Trace): string[] {
  return rows
    .filter(({ isIn, scope }) => isIn && (scope === undefined || scope.isCommitted))
    .map(({ name }) => name)
    .toSorted()
}

type Rule = readonly [what: string, matches: (outcome: Outcome) => boolean]

const same = (what: string, error: unknown): Rule => [
  what,
  (outcome) => 'error' in outcome && outcome.error === error,
]
const coded = (code: string, causes?: readonly unknown[]): Rule => [
  code,
  (outcome) =>
    'error' in outcome &&
    codeOf(outcome.error) === code &&
    (causes === undefined || causes.includes((outcome.error as Error).cause)),
]

function ofOutcome(scope: ScopeRecord, hooks: readonly HookRecord[]): string[] {
  const { outcome } = scope
  if (outcome === undefined) return [`${scope.id} has not settled`]
  // A part that was still at work would be kept by half.
  if (scope.isKept && scope.parts.some(({ endedAt }) => endedAt > scope.settledAt))
    return [`${scope.id} was kept while a part of it had not ended`]
  const rules = rulesFor(scope, hooks)
  if (rules.some(([, matches]) => matches(outcome))) return []
  const expected = rules.map(([what]) => what).join(' or ')
  return [`${scope.id} ended with ${show(outcome)}; expected: ${expected}`]
}

/** How `transaction()` may settle. */
function rulesFor(scope: ScopeRecord, hooks: readonly HookRecord[]): Rule[] {
  const { body, control, endedAt, parent, settledAt } = scope
  const { aborted } = control
  const wasAborted = aborted !== undefined && aborted.at < Math.min(endedAt, settledAt)
  if (parent === undefined && wasAborted) return [same('the reason of the abort', aborted.error)]
  if (body === undefined) return []
  if ('error' in body) {
    const own = same("the function's own error", body.error)
    // The signal may come while the function's end is on its way.
    const isRace = parent === undefined && aborted !== undefined && aborted.at < settledAt
    return isRace ? [own, same('the reason of the abort', aborted.error)] : [own]
  }
  const value: Rule = ['the value', (outcome) => 'value' in outcome && outcome.value === body.value]
  if (!scope.keeps) {
    const thrown = hooks.filter((hook) => hook.scope.undoneWith === scope && hook.threw)
    return thrown.length === 0
      ? [value]
      : [value, ...thrown.map(({ threw }) => same('a hook', threw))]
  }
  const may: Rule[] = []
  const must: Rule[] = []
  const sort = (at: number, rule: Rule): void => void (at < endedAt ? must : may).push(rule)
  for (const around of scope.chain.slice(1)) {
    if (around.endedAt > settledAt) continue
    sort(around.settledAt, coded('TRANSACTION_CLOSED'))
  }
  if (aborted !== undefined && aborted.at < settledAt) {
    sort(aborted.at, same('the reason of the abort', aborted.error))
    sort(aborted.at, coded('TRANSACTION_CLOSED'))
  }
  if (scope.hasLateParts) may.push(coded('TRANSACTION_CLOSED'))
  for (const error of scope.unseen) may.push(same('the error that nobody saw', error))
  const { lost } = scope.root
  if (lost !== undefined) sort(lost.at, coded('TRANSACTION_ABORTED', scope.abortCauses))
  for (const { at } of scope.failures) sort(at, coded('TRANSACTION_ABORTED', scope.abortCauses))
  const causes = scope.joined.map(({ error }) => error)
  for (const { at, error } of scope.joined)
    sort(at, coded('UNEXPECTED_ROLLBACK', error === undefined ? undefined : causes))
  if (parent === undefined) {
    const own = hooks.filter((hook) => hook.scope.root === scope && hook.threw !== undefined)
    for (const { kind, threw } of own) {
      if (kind === 'beforeCommit') must.push(same('what beforeCommit threw', threw))
      if (kind === 'afterCommit' && must.length === 0)
        must.push(
          coded(
            'AFTER_COMMIT',
            own.map((each) => each.threw),
          ),
        )
    }
  }
  return must.length > 0 ? [...must, ...may] : [value, ...may]
}

/** A root that lost is run again, if it may. */
function ofRetry(scope: ScopeRecord, scopes: readonly ScopeRecord[]): string[] {
  const { attempt, body, control, parent } = scope
  if (parent !== undefined || attempt > 1 || !control.retries || control.aborted) return []
  const hasLost =
    body !== undefined && 'error' in body && (body.error as Error).message.startsWith('lost')
  const again = scopes.some(
    (each) => each.parent === undefined && each.control === control && each !== scope,
  )
  return hasLost === again ? [] : [`${scope.id} was ${again ? '' : 'not '}run again`]
}

function ofHook(hook: HookRecord, hooks: readonly HookRecord[]): string[] {
  const { kind, scope, ran } = hook
  const expected = hook.isRegistered ? expectedRuns(hook, hooks) : 0
  if (expected === ran.length) return []
  return [`${kind} of ${scope.id} ran ${ran.length} times, not ${expected}`]
}

function expectedRuns(hook: HookRecord, hooks: readonly HookRecord[]): number {
  const { kind, scope } = hook
  if (kind === 'afterCommit') return Number(scope.isCommitted)
  if (kind === 'afterRollback') return Number(!scope.isCommitted)
  const { root } = scope
  const isOfRoot = scope.chain.every((each) => each === root || each.isKept)
  const { body, control } = root
  const isAborted = control.aborted !== undefined && control.aborted.at < root.settledAt
  if (!isOfRoot || body === undefined || 'error' in body || !root.keeps) return 0
  // Those that had begun when the signal was aborted; and none comes after one that failed.
  if (
    isAborted ||
    hooks.some((each) => each.kind === kind && each.scope.root === root && each.threw)
  )
    return Math.min(hook.ran.length, 1)
  return 1
}

/** Where nothing ran side by side hooks run in the order in which they were registered. */
function ofOrder(hooks: readonly HookRecord[]): string[] {
  const wrong: string[] = []
  const last = new Map<unknown, Map<string, number>>()
  for (const { kind, scope, ran } of hooks) {
    const [at] = ran
    if (at === undefined || !scope.root.isOrdered) continue
    const together = kind === 'afterRollback' ? scope.undoneWith : scope.root
    const known = last.get(together) ?? new Map<string, number>()
    last.set(together, known)
    if (at < (known.get(kind) ?? 0)) wrong.push(`${kind} of ${scope.id} ran too early`)
    known.set(kind, at)
  }
  return wrong
}
