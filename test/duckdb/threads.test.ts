import { expect, test } from 'vitest'
import { startProgram } from '../support/program.ts'

test('eight long queries on two databases leave Node a thread for its own work', async () => {
  const program = startProgram(new URL('./programs/busy.ts', import.meta.url))
  const [slowestStat, allQueries] = (await program.line())!.split(' ').map(Number)
  await program.end()
  // Without a thread of its own the file system answers when the first of the queries is done, or later.
  expect(slowestStat!).toBeLessThan(allQueries! / 8)
}, 60_000)
