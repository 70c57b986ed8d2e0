import { nextEventId } from '@keelson/core'
import { expect, test } from 'vitest'

test('numbers events in one sequence', () => {
  const first = nextEventId()
  expect(nextEventId()).toBe(first + 1)
})

test('a second copy of the package continues the sequence', async () => {
  const first = nextEventId()
  const file = new URL('../../packages/core/src/events/event-id.ts?copy', import.meta.url)
  const copy: { nextEventId: typeof nextEventId } = await import(file.href)
  expect(copy.nextEventId).not.toBe(nextEventId)
  expect(copy.nextEventId()).toBe(first + 1)
})
