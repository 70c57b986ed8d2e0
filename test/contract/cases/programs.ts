import fc from 'fast-check'
import { expect } from 'vitest'
import { record, runs, seed } from '../../support/runs.ts'
import { isFailedExpectation, type Contract } from '../contract.ts'
import type { Handle, Store } from '../orm.ts'

/** What a transaction does, nested or not, and how it ends. */
interface Block {
  readonly steps: readonly Step[]
  readonly throws: boolean
}

type Step =
  | { readonly do: 'add'; readonly rows: number }
  /** Adds a row whose key is taken, and catches the error. */
  | { readonly do: 'breach' }
  /** Lets everything else that runs come in between. */
  | { readonly do: 'wait' }
  /** Compares what the transaction sees with what it should see. */
  | { readonly do: 'look' }
  | { readonly do: 'nest'; readonly block: Block; readonly caught: boolean }
  | { readonly do: 'siblings'; readonly blocks: readonly Block[]; readonly caught: boolean }

/** Random programs against a model of a few lines: what is reported is what is stored. */
export function programCases({ it, open, engine, orm }: Contract): void {
  const can = {
    breach: engine.supports.statementRollback,
    nest: engine.supports.savepoints && orm.lacks.nestedTransactions === undefined,
    siblings: orm.lacks.nestedScopes === undefined,
  }

  it(
    'stores after any program of transactions what their endings say',
    ['failsAlone'],
    async () => {
      const db = await open()
      const numRuns = runs(150, 20_000)
      await fc.assert(
        fc.asyncProperty(programs(can), async (roots) => {
          await db.run('delete from account')
          await db.add({ id: 0, name: 'first' })
          const outcomes = await Promise.allSettled(
            roots.map((root, n) => runRoot(db, root, `${n}`)),
          )
          passOnFailedExpectations(outcomes)
          const expected = roots.map((root, n) => outcomeOf(root, `${n}`))
          expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(
            expected.map(({ throws }) => throws),
          )
          const kept = expected.flatMap(({ throws, names }) => (throws ? [] : names))
          expect((await db.names()).toSorted()).toEqual(['first', ...kept].toSorted())
        }),
        { seed, numRuns },
      )
      record(`contract-programs-${engine.name}-${orm.name}`.replaceAll(/\W+/g, '-'), {
        programs: numRuns,
      })
    },
  )
}

function programs(can: {
  breach: boolean
  nest: boolean
  siblings: boolean
}): fc.Arbitrary<readonly Block[]> {
  const { block } = fc.letrec<{ block: Block; step: Step }>((tie) => ({
    block: fc.record({
      steps: fc.array(tie('step'), { maxLength: 5 }),
      throws: fc.boolean(),
    }),
    step: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'nesting' },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('add' as const),
          rows: fc.integer({ min: 1, max: 3 }),
        }),
      },
      { weight: 1, arbitrary: fc.constant({ do: 'wait' as const }) },
      { weight: 1, arbitrary: fc.constant({ do: 'look' as const }) },
      { weight: can.breach ? 1 : 0, arbitrary: fc.constant({ do: 'breach' as const }) },
      {
        weight: can.nest ? 3 : 0,
        arbitrary: fc.record({
          do: fc.constant('nest' as const),
          block: tie('block'),
          caught: fc.boolean(),
        }),
      },
      {
        weight: can.nest && can.siblings ? 2 : 0,
        arbitrary: fc.record({
          do: fc.constant('siblings' as const),
          blocks: fc.array(tie('block'), { minLength: 2, maxLength: 3 }),
          caught: fc.boolean(),
        }),
      },
    ),
  }))
  return fc.array(block, { minLength: 1, maxLength: 3 })
}

/** The model. A block that throws keeps nothing; what it nests reaches it only through names that were kept. */
function outcomeOf({ steps, throws }: Block, path: string): { throws: boolean; names: string[] } {
  const names: string[] = []
  for (const [n, step] of steps.entries()) {
    const nested = nestedIn(step).map((block, sibling) =>
      outcomeOf(block, `${path}.${n}.${sibling}`),
    )
    if (step.do === 'add') names.push(...rowNames(path, n, step.rows))
    names.push(...nested.flatMap((each) => (each.throws ? [] : each.names)))
    if ('caught' in step && !step.caught && nested.some((each) => each.throws))
      return { throws: true, names: [] }
  }
  return { throws, names: throws ? [] : names }
}

function runRoot(db: Store, root: Block, path: string): Promise<void> {
  return db.transaction((tx) => runBlock(tx, root, path, ['first']))
}

/** @param visible what can be seen when it begins; undefined among siblings, whose turn is not known beforehand */
async function runBlock(
  handle: Handle,
  { steps, throws }: Block,
  path: string,
  visible: string[] | undefined,
): Promise<void> {
  const seen = visible && [...visible]
  for (const [n, step] of steps.entries()) {
    const nested = nestedIn(step)
    const outcomes = await Promise.allSettled(
      nested.map((block, sibling) =>
        handle.nested((inner) =>
          runBlock(inner, block, `${path}.${n}.${sibling}`, nested.length === 1 ? seen : undefined),
        ),
      ),
    )
    passOnFailedExpectations(outcomes)
    const models = nested.map((block, sibling) => outcomeOf(block, `${path}.${n}.${sibling}`))
    expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(
      models.map((model) => model.throws),
    )
    seen?.push(...models.flatMap((model) => (model.throws ? [] : model.names)))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if ('caught' in step && !step.caught && failed !== undefined) throw failed.reason

    if (step.do === 'add') {
      const names = rowNames(path, n, step.rows)
      await handle.add(...names)
      seen?.push(...names)
    } else if (step.do === 'breach') {
      const [breach] = await Promise.allSettled([handle.add({ id: 0, name: 'breach' })])
      expect(breach.status).toBe('rejected')
    } else if (step.do === 'wait') {
      await new Promise(setImmediate)
    } else if (step.do === 'look' && seen !== undefined) {
      const root = path.split('.')[0]!
      const names = (await handle.names()).filter(
        (name) => name === 'first' || name.split('.')[0] === root,
      )
      expect(names.toSorted()).toEqual(seen.toSorted())
    }
  }
  if (throws) throw new Error(path)
}

/** A transaction that is meant to throw must not hide that it saw something wrong before. */
function passOnFailedExpectations(outcomes: readonly PromiseSettledResult<unknown>[]): void {
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected' && isFailedExpectation(outcome.reason)) throw outcome.reason
  }
}

function nestedIn(step: Step): readonly Block[] {
  if (step.do === 'nest') return [step.block]
  return step.do === 'siblings' ? step.blocks : []
}

function rowNames(path: string, step: number, rows: number): string[] {
  return Array.from({ length: rows }, (_, n) => `${path}.${step} row ${n}`)
}
