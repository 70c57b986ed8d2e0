import { expect } from 'vitest'
import { elsewhere, rejectionOf, type Contract } from '../contract.ts'
import type { Store } from '../orm.ts'

/** A query that was called off has not run, and says why with the signal's own reason. */
export function signalCases({ it, open }: Contract): void {
  it('does not run a query whose signal is aborted already', ['abortSignals'], async () => {
    const db = await open()
    const reason = new Error('too late')
    expect(await rejectionOf(addWith(db, AbortSignal.abort(reason)))).toBe(reason)
    expect(await db.names()).toEqual([])
  })

  it(
    'gives up the wait for another transaction, and never runs then',
    ['abortSignals', 'oneWriter', 'outermost'],
    async () => {
      const db = await open()
      const controller = new AbortController()
      const reason = new Error('too slow')
      await db.transaction(async (tx) => {
        const waiting = elsewhere(() => rejectionOf(addWith(db, controller.signal)))
        await tx.add('inside')
        controller.abort(reason)
        expect(await waiting).toBe(reason)
      })
      await db.add('after')
      expect(await db.names()).toEqual(['inside', 'after'])
    },
  )

  it('runs a query whose signal stays quiet, or comes too late', ['abortSignals'], async () => {
    const db = await open()
    const controller = new AbortController()
    await addWith(db, controller.signal)
    controller.abort(new Error('too late'))
    expect(await db.names()).toEqual(['called off'])
  })
}

function addWith(db: Store, signal: AbortSignal): Promise<unknown> {
  return db.query<unknown>({
    kysely: (kysely) =>
      kysely.insertInto('account').values({ name: 'called off' }).execute({ signal }),
    drizzle: () => Promise.reject(new Error('Drizzle takes no signal')),
  })
}
