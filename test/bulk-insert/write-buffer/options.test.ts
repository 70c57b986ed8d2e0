import { createWriteBuffer } from '@keelson/bulk-insert/kysely'
import { OptionError } from '@keelson/core'
import { expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { open, row } from './fixture.ts'

test.for<[options: object, option: string, message: RegExp]>([
  [{ maxrows: 1 }, 'maxrows', /has no option `maxrows`\. Did you mean `maxRows`\?$/],
  [{ maxRows: 0 }, 'maxRows', /cannot use 0 as `maxRows`\. It takes a whole number from 1\.$/],
  [{ flushRows: 11, maxRows: 10 }, 'flushRows', /from 1 to `maxRows`: 10/],
  [{ flushBytes: 11, maxBytes: 10 }, 'flushBytes', /from 1 to `maxBytes`: 10/],
  [{ lingerMs: -1 }, 'lingerMs', /milliseconds from 0 to 2147483647/],
  [{ lingerMs: Number.NaN }, 'lingerMs', /milliseconds/],
  [{ overflow: 'drop' }, 'overflow', /It takes 'wait' or 'error'\./],
  [{ retry: { attempts: 0 } }, 'retry.attempts', /whole number from 1/],
  [{ retry: { delay: 1 } }, 'delay', /retry has no option `delay`/],
  [
    { retry: { minDelayMs: 10, maxDelayMs: 5 } },
    'retry.maxDelayMs',
    /no less than `minDelayMs`: 10/,
  ],
  [{ retry: { maxAgeMs: '1s' } }, 'retry.maxAgeMs', /milliseconds from 0, or Infinity/],
  [{ onRejected: 'collect' }, 'onRejected', /It takes a function\./],
  [{ onConflict: 'ignore' }, 'onConflict', /'error', 'skip' or an object with a `target`/],
  [{ idempotencyKey: [] }, 'idempotencyKey', /a column, or an array of columns/],
  [
    { idempotencyKey: 'id', onConflict: { target: 'id', update: 'all' } },
    'onConflict',
    /a batch that may be in the table is sent again, and must then change nothing/,
  ],
  [
    { idempotencyKey: 'id', onConflict: { target: 'body', skip: true } },
    'onConflict',
    /idempotencyKey/,
  ],
  [{ spill: { path: 'never' } }, 'idempotencyKey', /takes `spill` only with an `idempotencyKey`/],
  [{ spill: { path: '' }, idempotencyKey: 'id' }, 'spill.path', /the path of a directory/],
  [{ spill: { path: 'a', fsync: 'never' }, idempotencyKey: 'id' }, 'spill.fsync', /'each' or/],
  [{ signal: {} }, 'signal', /an AbortSignal/],
])('%o is refused before anything is opened', async ([options, option, message]) => {
  const { db } = await open({ engine: 'sqlite' })
  const error = await rejection(() => createWriteBuffer(db, 'event', options as never))
  expect(error).toBeInstanceOf(OptionError)
  expect(error['option']).toBe(option)
  expect(error.message).toMatch(message)
})

test('the options of close() and handleSignals() are checked, too', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const events = buffer()
  expect(await rejection(events.close({ deadline: 5 } as never))).toMatchObject({
    option: 'deadline',
  })
  expect(await rejection(events.close({ deadlineMs: -5 }))).toMatchObject({ option: 'deadlineMs' })
  expect(await rejection(() => events.handleSignals({ signals: [] }))).toMatchObject({
    option: 'signals',
  })
  expect(events.stats.state).toBe('open')
})

test('a row without its idempotencyKey is refused', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const events = buffer({ idempotencyKey: ['id', 'body'] })
  expect(await rejection(events.add(row(1, null)))).toMatchObject({
    code: 'MISSING_COLUMN',
    column: 'body',
    message: expect.stringMatching(/^The row has no "body", which is its idempotencyKey: /),
  })
})

test('an option that names no column is told at the first batch, and stops the buffer', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const events = buffer({ onConflict: { target: 'nothing' as 'id', skip: true }, lingerMs: 0 })
  void events.add(row(1)).catch(() => {})
  const error = await rejection(events.flush())
  expect(error).toMatchObject({ code: 'BUFFER_STOPPED', cause: { option: 'onConflict.target' } })
})

test('a spill path that is a file is an error, and leaves nothing open', async () => {
  const { db, buffer } = await open({ engine: 'sqlite' })
  const path = temporaryDirectory()
  const options = { idempotencyKey: 'id', spill: { path } } as const
  const error = await rejection(() =>
    createWriteBuffer(db, 'event', { ...options, signal: AbortSignal.abort() }),
  )
  expect(error.name).toBe('AbortError')
  await buffer(options).close()
})
