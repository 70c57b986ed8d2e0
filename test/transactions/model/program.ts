import fc from 'fast-check'

/** What a function inside a transaction may do, one after the other. */
export type Step =
  | { readonly do: 'insert'; readonly through: 'db' | 'tx'; readonly awaited: boolean }
  /** A statement that breaks the key. */
  | { readonly do: 'fail'; readonly caught: boolean; readonly awaited: boolean }
  /** One that makes SQLite end the whole transaction. */
  | { readonly do: 'ruin'; readonly caught: boolean }
  | { readonly do: 'read' }
  | { readonly do: 'throw' }
  /** Throws, in the first attempt only, what `retry` is for. */
  | { readonly do: 'lose' }
  | { readonly do: 'pause' }
  | { readonly do: 'abort' }
  /** A statement from the same async context, sent when the scope has ended. */
  | { readonly do: 'late'; readonly through: 'db' | 'tx' }
  | {
      readonly do: 'hook'
      readonly kind: 'beforeCommit' | 'afterCommit' | 'afterRollback'
      readonly does: 'nothing' | 'insert' | 'throw'
    }
  | ({ readonly do: 'scope' } & ScopeProgram)
  | {
      readonly do: 'parallel'
      readonly waits: 'all' | 'settled'
      readonly branches: readonly (readonly Step[])[]
    }

export interface ScopeProgram {
  /** `default` is what the engine can: a savepoint, or joining. */
  readonly propagation: 'default' | 'nested' | 'required' | 'requiresNew'
  readonly caught: boolean
  readonly awaited: boolean
  /** What `commitIf` says. */
  readonly keeps: boolean
  readonly steps: readonly Step[]
}

export interface RootProgram {
  readonly keeps: boolean
  readonly retries: boolean
  readonly hasSignal: boolean
  readonly steps: readonly Step[]
}

const mostly = (value: boolean, weight: number): fc.Arbitrary<boolean> =>
  fc.oneof({ weight, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: fc.constant(!value) })
const through = fc.constantFrom('db' as const, 'tx' as const)

const leaves: readonly fc.WeightedArbitrary<Step>[] = [
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('insert'), through, awaited: mostly(true, 6) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fail'),
      caught: fc.boolean(),
      awaited: mostly(true, 6),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('ruin'), caught: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('read') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('throw') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pause') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('late'), through }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('hook'),
      kind: fc.constantFrom('beforeCommit', 'afterCommit', 'afterRollback'),
      does: fc.constantFrom('nothing', 'nothing', 'insert', 'throw'),
    }),
  },
]

const { steps } = fc.letrec<{ step: Step; steps: readonly Step[] }>((tie) => ({
  steps: fc.array(tie('step'), { maxLength: 4 }),
  step: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    ...leaves,
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('scope' as const),
        propagation: fc.constantFrom(
          'default',
          'default',
          'default',
          'nested',
          'required',
          'requiresNew',
        ),
        caught: mostly(true, 3),
        awaited: mostly(true, 12),
        keeps: mostly(true, 8),
        steps: tie('steps'),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('parallel' as const),
        waits: fc.constantFrom('all', 'settled'),
        branches: fc.array(tie('steps'), { minLength: 2, maxLength: 3 }),
      }),
    },
  ),
}))

/** Transactions that are begun at the same time. */
export const program: fc.Arbitrary<readonly RootProgram[]> = fc.array(
  fc.record({
    keeps: mostly(true, 8),
    retries: fc.boolean(),
    hasSignal: mostly(true, 1),
    steps,
  }),
  { minLength: 1, maxLength: 3 },
)
