import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

// pnpm test:soak [what vitest takes]: every test with its long counts, see test/support/runs.ts.
const root = fileURLToPath(new URL('../../', import.meta.url))
const vitest = fileURLToPath(new URL('vitest.mjs', import.meta.resolve('vitest/package.json')))
const oneDayMs = 86_400_000
const { status, error } = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    `--testTimeout=${oneDayMs}`,
    `--hookTimeout=${oneDayMs}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, env: { ...process.env, SOAK: '1' }, stdio: 'inherit' },
)
if (error !== undefined) throw error
// A run that was killed by a signal has no status.
process.exitCode = status ?? 1
