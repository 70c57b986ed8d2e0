/** A function that is to run when a transaction ends. */
export type Hook = () => unknown

/**
 * The hooks of one scope, in the order in which they were registered. A nested scope that is released hands its hooks to
 * the scope around it; one that is rolled back drops them.
 */
export class Hooks {
  beforeCommit: Hook[] | undefined
  afterCommit: Hook[] | undefined
  afterRollback: Hook[] | undefined

  add(kind: 'beforeCommit' | 'afterCommit' | 'afterRollback', hook: Hook): void {
    ;(this[kind] ??= []).push(hook)
  }

  /** Hands everything over to the scope around. */
  moveTo(outer: Hooks): void {
    for (const kind of ['beforeCommit', 'afterCommit', 'afterRollback'] as const) {
      for (const hook of this[kind] ?? []) outer.add(kind, hook)
      this[kind] = undefined
    }
  }
}

/** Runs all hooks, one after the other, and returns what they threw. */
export async function runHooks(hooks: readonly Hook[] | undefined): Promise<unknown[]> {
  const errors: unknown[] = []
  for (const hook of hooks ?? []) {
    try {
      await hook()
    } catch (error) {
      errors.push(error)
    }
  }
  return errors
}
