import { createTiming, type TimingOptions } from '@keelson/timing'
import { expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'

const refusal = (options: object): Promise<Error> =>
  rejection(() => createTiming(options as TimingOptions))

test('what createTiming() refuses it says in the unit of the option', async () => {
  for (const [options, expected] of [
    [{ slowMs: -1 }, 'milliseconds above 0'],
    [{ plans: { scanMs: -1 } }, 'milliseconds, 0 or more'],
    [{ plans: { minCalls: -1 } }, 'a number, 0 or more'],
    [{ relativeSlow: { factor: -1 } }, 'a number, 0 or more'],
    [{ sizes: { warnBytes: -1 } }, 'bytes, 0 or more'],
    [{ sinks: [{}] }, 'an object with query, transaction, pool or signal'],
    [{ sinks: [{ query: 1 }] }, 'a function'],
  ] as const)
    expect((await refusal(options)).message).toMatch(new RegExp(`It takes ${expected}\\.$`))
})

test('what is critical is no less than what is a warning', async () => {
  expect(() => createTiming({ sizes: { warnBytes: 2e9 } })).not.toThrow()
  expect((await refusal({ sizes: { warnBytes: 2e9, criticalBytes: 1e9 } })).message).toBe(
    'createTiming() got sizes.criticalBytes 1000000000 below sizes.warnBytes 2000000000. What is critical is more than a warning: give criticalBytes the larger value.',
  )
})

test('scope() refuses what nobody would read', async () => {
  const timing = createTiming()
  const scope = timing.scope.bind(timing) as (...given: unknown[]) => unknown
  const fn = (): string => 'done'
  expect(scope('x', { actor: 'me', tags: { a: 'b' } }, fn)).toBe('done')
  for (const [given, option] of [
    [['x', { acter: 'me' }, fn], 'acter'],
    [['x', { actor: 1 }, fn], 'actor'],
    [['x', { tags: { a: 1 } }, fn], 'tags.a'],
    [['x', null, fn], 'options'],
    [['x', { actor: 'me' }], 'fn'],
    [[1, fn], 'name'],
  ] as const)
    expect(await rejection(() => scope(...given))).toMatchObject({ name: 'OptionError', option })
})

test('addSink() refuses what hears of nothing', async () => {
  const add = (sink: object): Promise<Error> => rejection(() => createTiming().addSink(sink))
  expect(await add({ quary() {} })).toMatchObject({ code: 'INVALID_OPTION', option: 'sink' })
  expect(await add({ query: true })).toMatchObject({ option: 'sink.query' })
})
