/** `begin` and `rollback` sent as text, the usual way around a library whose transactions do not fit. */
import { type CorruptionCase, sleep } from '../case.ts'
import { gotOwnError, has, ok, OwnError, type Observation, type Told } from '../observation.ts'
import type { Store, SyncStore } from '../store.ts'

export const byText: readonly CorruptionCase[] = [
  {
    id: 'begin-as-text-beside-others',
    title: 'Who was told ok has its row, also beside a `begin` and `rollback` sent as text',
    engine: 'SQLite',
    asked:
      'Two functions at once send `begin`, insert a row, wait, and send `rollback` on the plain database, which has one ' +
      'connection. Meanwhile a third, which knows nothing of them, inserts a row in between.',
    right:
      "The stranger's row is there if it was told ok, and no row of the others: `[stranger]`, or `[]` and an error.",
    byHand: true,
    run: async ({ open, told }) => twoByText(await open(), told),
    runSync: ({ openSync, told }) => twoByText(openSync(), told),
    isRight: (seen) =>
      keptWhatItSaid(seen, { 'the stranger': 'stranger' }) &&
      !seen.rows.includes('first') &&
      !seen.rows.includes('second'),
  },
  {
    id: 'begin-as-text-never-ended',
    title:
      'A connection given back in the middle of a transaction does not swallow what others write',
    engine: 'PostgreSQL',
    asked:
      'A function sends `begin` as text, inserts a row and fails before `commit`, so that its connection returns to the ' +
      'pool. The next two users of the pool, which has one connection, insert a row each. Then the application ends.',
    right: 'Every row whose insert was told ok is there.',
    byHand: true,
    async run({ open, told }) {
      const store = await open({ connections: 1 })
      await told.of('the begin', store.execute('begin'))
      await told.of('its insert', store.insert('unfinished'))
      await told.of('the next user', store.insert('next'))
      await told.of('the last user', store.insert('last'))
    },
    isRight: (seen) => keptWhatItSaid(seen, { 'the next user': 'next', 'the last user': 'last' }),
  },
  {
    id: 'rollback-as-text-inside',
    title: 'After a `rollback` sent as text inside a transaction nothing more of it is written',
    engine: 'SQLite',
    asked:
      'A transaction inserts a row, sends `rollback` as text, inserts another row, and fails with an error of its own.',
    right: "No row, `[]`, and the caller gets the transaction's own error.",
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.insert('before')
          await told.of('the rollback', handle.execute('rollback'))
          await told.of('the insert', handle.insert('after'))
          throw new OwnError()
        }),
      )
    },
    async runSync({ openSync, told }) {
      const store = openSync()
      told.ofSync('the transaction', () =>
        store.transaction((handle) => {
          handle.insert('before')
          told.ofSync('the rollback', () => handle.execute('rollback'))
          told.ofSync('the insert', () => handle.insert('after'))
          throw new OwnError()
        }),
      )
    },
    isRight: (seen) => has(seen) && gotOwnError(seen, 'the transaction'),
  },
]

async function twoByText(store: Store | SyncStore, told: Told): Promise<void> {
  await Promise.all([
    told.of('the first', undone(store, 'first', 40)),
    sleep(10).then(() => told.of('the second', undone(store, 'second', 5))),
    sleep(20).then(() => told.of('the stranger', () => store.insert('stranger'))),
  ])
}

async function undone(store: Store | SyncStore, name: string, waitMs: number): Promise<void> {
  await store.execute('begin')
  await store.insert(name)
  await sleep(waitMs)
  await store.execute('rollback')
}

/** Whether a party that was told ok has its row, and one that was told of an error has not. */
function keptWhatItSaid(seen: Observation, parties: Readonly<Record<string, string>>): boolean {
  return Object.entries(parties).every(
    ([party, row]) => ok(seen, party) === seen.rows.includes(row),
  )
}
