import { expect, onTestFinished, test, vi } from 'vitest'
import { startProgram } from '../support/program.ts'
import { record, runs } from '../support/runs.ts'
import { temporaryFile } from '../support/temporary-directory.ts'

const rows = runs(200_000, 5_000_000)

/**
 * What the process may take at most, in MiB, with a heap of 100. Node with an ORM takes 130 to 150 before the first row;
 * DuckDB with a `memoryLimit` of 100 takes 200 for rows that it makes by itself. From 1 to 3 million rows it grew by 26.
 */
const limits = { sqlite: runs(220, 300), duckdb: runs(300, 420) }

test.each(['sqlite', 'duckdb'] as const)(
  'any number of rows takes bounded memory: %s',
  async (engine) => {
    vi.stubEnv('NODE_OPTIONS', '--max-old-space-size=100')
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
    expect(result.maxRssMb).toBeLessThan(limits[engine])
    record('bulk-insert-memory', { [engine]: result })
  },
)
