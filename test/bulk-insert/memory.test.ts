import { expect, onTestFinished, test, vi } from 'vitest'
import { startProgram } from '../support/program.ts'
import { record, runs } from '../support/runs.ts'
import { temporaryFile } from '../support/temporary-directory.ts'

const rows = runs(200_000, 5_000_000)

/**
 * What the process may take at most, in MiB. Node with an ORM takes 130 to 150 before the first row. The heap is kept small,
 * since Node lets its own garbage pile up where there is room: without the limits it took 470 with DuckDB.
 */
const limit = runs(280, 300)
const smallHeap = '--max-old-space-size=64 --max-semi-space-size=4'

test.each(['sqlite', 'duckdb'] as const)(
  'any number of rows takes bounded memory: %s',
  async (engine) => {
    vi.stubEnv('NODE_OPTIONS', smallHeap)
    onTestFinished(() => void vi.unstubAllEnvs())
    const program = startProgram(
      new URL('programs/many-rows.ts', import.meta.url),
      engine,
      temporaryFile(),
      String(rows),
    )
    const line = await program.line()
    const { code, stderr } = await program.end()
    expect(code, stderr).toBe(0)
    const result = JSON.parse(line!)
    expect(result.inserted).toBe(rows)
    expect(result.maxRssMb).toBeLessThan(limit)
    record('bulk-insert-memory', { [engine]: result })
  },
)
