import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { runs } from '../support/runs.ts'

test('nothing is retained of what is over', { timeout: 600_000 }, async () => {
  const times = runs(600, 20_000)
  const program = fileURLToPath(new URL('./programs/stream-retained.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [program, String(times)])
  const grown = JSON.parse(stdout) as Record<string, number>
  // A promise, a listener or an event kept for each of them would be many times as much.
  const allowed = 300 + times / 60
  for (const [what, kilobytes] of Object.entries(grown))
    expect(kilobytes, what).toBeLessThan(allowed)
})
