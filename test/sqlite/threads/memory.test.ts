import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startProgram } from '../../support/program.ts'
import { record, runs } from '../../support/runs.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { modes } from './fixture.ts'

/** How often, and the growth that is noise, in MiB: what is kept of each would be several times that. */
const cases = [
  ['statements', 'distinct statements', runs(16_000, 100_000), 12],
  ['streams', 'streams that are left', runs(6_000, 10_000), 12],
  ['databases', 'databases that are opened and closed', runs(80, 1_000), 20],
] as const

describe.for(modes)('memory levels off: %s', (mode) => {
  test.for(cases)('%s', { timeout: 1_200_000 }, async ([what, , count, noise]) => {
    // Node lets its own garbage pile up where there is room.
    vi.stubEnv('NODE_OPTIONS', '--max-old-space-size=64 --max-semi-space-size=2')
    onTestFinished(() => void vi.unstubAllEnvs())
    const start = performance.now()
    const program = startProgram(
      new URL('./programs/memory.ts', import.meta.url),
      what,
      mode,
      temporaryDirectory(),
      String(count),
    )
    const line = await program.line()
    const { code, stderr } = await program.end()
    expect(code, stderr).toBe(0)
    const [first, middle, last] = JSON.parse(line!) as [number, number, number]
    console.info(`${what}, ${mode}: ${first} MiB, ${middle}, ${last}`)
    // What is never given back grows by as much in the second half as in the first, which is a little shorter.
    expect(last - middle).toBeLessThan(Math.max(noise, (middle - first) / 2))
    record('sqlite-threads-memory', {
      [`${what}, ${mode}`]: {
        count,
        mib: [first, middle, last].map(Math.round),
        durationMs: Math.round(performance.now() - start),
      },
    })
  })
})
