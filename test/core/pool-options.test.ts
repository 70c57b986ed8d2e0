import { OptionError, Pool } from '@keelson/core'
import type { PoolOptions } from '@keelson/core'
import { expect, test } from 'vitest'

const valid: PoolOptions<object> = { name: 'p', max: 2, create: () => ({}), destroy: () => {} }

test('refuses an option that nobody reads', () => {
  expect(() => new Pool({ ...valid, acquireTimeoutMillis: 5 } as never)).toThrow(
    'new Pool() has no option `acquireTimeoutMillis`. Did you mean `acquireTimeoutMs`?',
  )
})

const refused: [Partial<Record<keyof PoolOptions<object>, unknown>>, string][] = [
  [{ name: '' }, 'new Pool() cannot use "" as `name`. It takes a text that is not empty.'],
  [{ max: 0 }, 'new Pool() cannot use 0 as `max`. It takes a whole number of 1 or more.'],
  [{ max: 1.5 }, 'new Pool() cannot use 1.5 as `max`. It takes a whole number of 1 or more.'],
  [
    { minIdle: 3 },
    'new Pool() cannot use 3 as `minIdle`. It takes a whole number from 0 to `max`, which is 2.',
  ],
  [
    { maxWaiters: -1 },
    'new Pool() cannot use -1 as `maxWaiters`. It takes a whole number of 0 or more.',
  ],
  [
    { acquireTimeoutMs: 0 },
    'new Pool() cannot use 0 as `acquireTimeoutMs`. It takes milliseconds, more than 0 and at most 2147483647.',
  ],
  [
    { maxLifetimeMs: 3_000_000_000 },
    'new Pool() cannot use 3000000000 as `maxLifetimeMs`. It takes milliseconds, more than 0 and at most 2147483647.',
  ],
  [
    { createTimeoutMs: '5s' },
    'new Pool() cannot use "5s" as `createTimeoutMs`. It takes milliseconds, more than 0 and at most 2147483647.',
  ],
  [{ create: undefined }, 'new Pool() cannot use undefined as `create`. It takes a function.'],
  [{ validate: true }, 'new Pool() cannot use true as `validate`. It takes a function.'],
]

for (const [options, message] of refused) {
  test(`refuses ${JSON.stringify(options)}`, () => {
    expect(() => new Pool({ ...valid, ...options } as never)).toThrow(OptionError)
    expect(() => new Pool({ ...valid, ...options } as never)).toThrow(message)
  })
}

test('takes undefined as the default, and Infinity where nothing is limited', async () => {
  const pool = new Pool({
    ...valid,
    maxWaiters: undefined,
    idleTimeoutMs: Infinity,
    maxLifetimeMs: undefined,
  })
  await pool.use(() => {})
  expect(pool.name).toBe('p')
  expect(pool.stats).toEqual({
    max: 2,
    size: 1,
    idle: 1,
    inUse: 0,
    waiting: 0,
    acquired: 1,
    waited: 1,
    timedOut: 0,
    closedBroken: 0,
    closedExpired: 0,
    closedIdle: 0,
  })
  await pool.close()
})

test('refuses unknown and unusable options of its methods', async () => {
  const pool = new Pool(valid)
  await expect(pool.acquire({ timeoutMs: 5 } as never)).rejects.toThrow(
    'acquire() has no option `timeoutMs`.',
  )
  expect(() => pool.tryAcquire({ porpose: 'x' } as never)).toThrow('Did you mean `purpose`?')
  expect(() => pool.close({ deadlineMs: -1 })).toThrow(
    'close() cannot use -1 as `deadlineMs`. It takes milliseconds from 0 to 2147483647.',
  )
  await pool.use(() => {})
  expect(pool.stats.acquired).toBe(1)
})
