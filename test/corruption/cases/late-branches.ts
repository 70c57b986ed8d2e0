/** Branches of a transaction that go on when it is over. */
import { type CorruptionCase, sleep } from '../case.ts'
import { failed, gotOwnError, has, ok, OwnError } from '../observation.ts'
import type { Handle, Store } from '../store.ts'

export const lateBranches: readonly CorruptionCase[] = [
  {
    id: 'branch-goes-on-after-rollback',
    title: 'A branch that goes on after the rollback writes nothing',
    engine: 'PostgreSQL',
    asked:
      'Inside a transaction, `Promise.all` runs two branches. One fails, so the transaction rolls back; the other has ' +
      'inserted a row by then, knows nothing of it, and inserts a second.',
    right: 'Nothing is kept, `[]`, and the late insert is told an error.',
    async run({ open, told }) {
      const store = await open()
      let branch: Promise<unknown> | undefined
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          branch = (async () => {
            await handle.insert('first step')
            await sleep(150)
            await told.of('the second step', handle.insert('second step'))
          })()
          await Promise.all([
            branch,
            sleep(20).then(() => {
              throw new OwnError()
            }),
          ])
        }),
      )
      await branch
    },
    isRight: (seen) =>
      has(seen) && gotOwnError(seen, 'the transaction') && failed(seen, 'the second step'),
  },
  {
    id: 'statement-beside-rollback',
    title: 'A statement sent while ROLLBACK is on the wire writes nothing',
    engine: 'PostgreSQL',
    asked:
      'A transaction fails. 50 microtasks later, when ROLLBACK is on its way and has not been answered, a branch inserts ' +
      'a row through the handle. Fifty times.',
    right: 'No row is kept.',
    async run({ open }) {
      const store = await open()
      for (let round = 0; round < 50; round++)
        await withLateInsert(store, `late ${round}`, 50, true)
    },
    isRight: (seen) => has(seen),
  },
  {
    id: 'statement-beside-commit',
    title: 'A statement sent while COMMIT is on the wire is part of the transaction or refused',
    engine: 'PostgreSQL',
    asked:
      'The same with a transaction that succeeds. The rows tell their transaction (`xmin`): a late row in another one ' +
      'was written outside every transaction, on a connection that is on its way back to the pool.',
    right: 'No late row is in a transaction of its own.',
    async run({ open, place }) {
      const store = await open()
      for (let round = 0; round < 50; round++)
        await withLateInsert(store, `late ${round}`, 50, false)
      await place.execute(
        `delete from t where v like 'round%' or xmin in (select xmin from t where v like 'round%')`,
      )
    },
    isRight: (seen) => has(seen),
  },
  {
    id: 'microtasks-around-rollback',
    title: 'No microtask is early enough to write after a rollback',
    engine: 'SQLite',
    asked:
      'Transactions fail, and a branch of each inserts a row through the handle: in the first at once, in the next one ' +
      'microtask after the failure, then two, and so on up to 60.',
    right: 'No row is kept; each is rolled back with its transaction or refused.',
    async run({ open }) {
      const store = await open()
      for (let depth = 0; depth <= 60; depth++)
        await withLateInsert(store, `depth ${depth}`, depth, true)
    },
    isRight: (seen) => has(seen),
  },
  {
    id: 'microtasks-around-commit',
    title: 'No microtask is early enough to write after a commit',
    engine: 'SQLite',
    asked:
      'The same with transactions that succeed. The log of SQLite tells how often something was committed: a row that ' +
      'comes after COMMIT and is accepted makes a commit of its own.',
    right: 'One commit for each of the 61 transactions.',
    async run({ open, place }) {
      const store = await open()
      const stray: number[] = []
      for (let depth = 0; depth <= 60; depth++) {
        const before = place.commits!()
        await withLateInsert(store, `depth ${depth}`, depth, false)
        if (place.commits!() - before > 1) stray.push(depth)
      }
      await place.execute('delete from t')
      return {
        'commits beside the transaction, at depths': stray.length === 0 ? 'none' : stray.join(', '),
      }
    },
    isRight: (seen) => seen.measured['commits beside the transaction, at depths'] === 'none',
  },
  {
    id: 'finished-handle',
    title: 'The handle of a finished transaction is refused',
    engine: 'PostgreSQL',
    asked: 'A transaction commits; somebody has kept its handle and inserts a row through it.',
    right: 'An error, and only the row of the transaction: `[inside]`.',
    async run({ open, told }) {
      const store = await open()
      const handle = await escapedHandle(store)
      await told.of('the late insert', handle.insert('late'))
    },
    isRight: (seen) => has(seen, 'inside') && failed(seen, 'the late insert'),
  },
  {
    id: 'finished-handle-in-a-strangers-transaction',
    title: "The handle of a finished transaction does not write into a stranger's",
    engine: 'PostgreSQL',
    asked:
      'A transaction commits and its handle is kept. The connection goes on to a transaction of somebody else, which is ' +
      'to roll back. Meanwhile a row is inserted through the old handle.',
    right: 'The late insert is told an error: `[inside]`.',
    async run({ open, told }) {
      const store = await open({ connections: 1 })
      const handle = await escapedHandle(store)
      const stranger = told.of(
        'the stranger',
        store.transaction(async (other) => {
          await other.insert('stranger')
          await sleep(60)
          throw new OwnError()
        }),
      )
      await sleep(20)
      await told.of('the late insert', handle.insert('late'))
      await stranger
    },
    isRight: (seen) =>
      has(seen, 'inside') && failed(seen, 'the late insert') && gotOwnError(seen, 'the stranger'),
  },
  {
    id: 'statements-nobody-awaits',
    title: 'Statements that nobody awaits are all in the transaction, or the transaction fails',
    engine: 'SQLite',
    asked: 'A transaction starts three inserts without awaiting them, and returns.',
    right: 'All three rows, or none and an error for each insert; never some of them.',
    async run({ open, told }) {
      const store = await open()
      const inserts: Promise<unknown>[] = []
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          for (const v of ['1', '2', '3']) inserts.push(told.of(`insert ${v}`, handle.insert(v)))
        }),
      )
      await Promise.all(inserts)
    },
    isRight: (seen) =>
      (has(seen, '1', '2', '3') && ok(seen, 'the transaction')) ||
      (has(seen) && failed(seen, 'insert 1', 'insert 2', 'insert 3')) ||
      (has(seen) && failed(seen, 'the transaction')),
  },
]

/** A transaction that ends, and an insert through its handle so many microtasks later. */
async function withLateInsert(
  store: Store,
  v: string,
  microtasks: number,
  fails: boolean,
): Promise<void> {
  let late: Promise<unknown> | undefined
  const transaction = store.transaction(async (handle) => {
    await handle.insert(`round of ${v}`)
    late = afterMicrotasks(microtasks).then(() => handle.insert(v))
    late.catch(() => {})
    if (fails) throw new OwnError()
  })
  await Promise.allSettled([transaction])
  await Promise.allSettled([late])
}

async function afterMicrotasks(count: number): Promise<void> {
  for (let passed = 0; passed < count; passed++) await Promise.resolve()
}

async function escapedHandle(store: Store): Promise<Handle> {
  return await store.transaction(async (handle) => {
    await handle.insert('inside')
    return handle
  })
}
