import { expect, test } from 'vitest'
import { startProgram } from '../support/program.ts'

test('eight long queries on two databases leave Node a thread for its own work', async () => {
  const program = startProgram(new URL('./programs/busy.ts', import.meta.url))
  const answers = Number(await program.line())
  await program.end()
  // Without a thread of its own the file system answers when the first of the queries is done, or later; a few it may
  // have answered before they all had begun.
  expect(answers).toBeGreaterThan(10)
}, 60_000)
