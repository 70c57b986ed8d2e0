import { AsyncLocalStorage } from 'node:async_hooks'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Capability, Engine, OpenOptions } from '../support/engines.ts'
import type { Orm, OrmCapability, Store } from './orm.ts'

/** What one group of cases is given to state its promises with. */
export interface Contract {
  readonly engine: Engine
  readonly orm: Orm

  /** States a promise. Where something is missing that it `needs`, it is skipped, with the reason in its name. */
  it(name: string, body: () => Promise<void>): void
  it(name: string, needs: readonly Need[], body: () => Promise<void>): void

  /** Opens a new file with the shared tables in it, all of them empty; it is closed and deleted after the test. */
  open(options?: OpenOptions): Promise<Store>
  /** Opens the file of another store once more. */
  openAgain(store: Store, options?: OpenOptions): Promise<Store>

  /** The error a promise is rejected with, without what the ORM wraps around it. */
  failureOf(promise: PromiseLike<unknown>): Promise<Error & { readonly code?: unknown }>
}

export type Need = Capability | OrmCapability

/** The contract of an engine under an ORM, for the cases of one topic. */
export function contractOf(engine: Engine, orm: Orm): Contract {
  return {
    engine,
    orm,

    it(
      name: string,
      ...rest: [() => Promise<void>] | [readonly Need[], () => Promise<void>]
    ): void {
      const [needs, body] = rest.length === 1 ? [[], rest[0]] : rest
      const missing = needs.find((need) => reasonAgainst(need, engine, orm) !== undefined)
      if (missing === undefined) test(name, body)
      else test.skip(`${name} [no ${missing}: ${reasonAgainst(missing, engine, orm)}]`, body)
    },

    async open(options) {
      const store = await orm.open(engine, temporaryPath(), options)
      onTestFinished(() => store.close())
      for (const statement of engine.sql.createTables) await store.run(statement)
      return store
    },

    async openAgain({ path }, options) {
      const store = await orm.open(engine, path, options)
      onTestFinished(() => store.close())
      return store
    },

    async failureOf(promise) {
      return orm.unwrap(await rejectionOf(promise)) as Error
    },
  }
}

function reasonAgainst(need: Need, engine: Engine, orm: Orm): string | undefined {
  return orm.lacks[need] ?? (need in engine.supports ? engine.lacks[need as Capability] : undefined)
}

/** Does it as somebody else would, who knows nothing of the transaction from inside which this is called. */
export const elsewhere: <R>(fn: () => R) => R = AsyncLocalStorage.snapshot()

/** What a promise is rejected with, whatever it is; but a failed expectation fails the test. */
export async function rejectionOf(promise: PromiseLike<unknown>): Promise<unknown> {
  const [outcome] = await Promise.allSettled([promise])
  expect(outcome).toMatchObject({ status: 'rejected' })
  const { reason } = outcome as PromiseRejectedResult
  if (isFailedExpectation(reason)) throw reason
  return reason
}

export function isFailedExpectation(error: unknown): boolean {
  return error instanceof Error && error.name === 'AssertionError'
}

function temporaryPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-contract-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'test.db')
}
