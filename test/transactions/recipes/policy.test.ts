import { expect, onTestFinished, test, vi } from 'vitest'
import { surviveOutage } from '../../../examples/transactions/policy.ts'
import { startProgram } from '../../support/program.ts'

test('a circuit breaker opens while PostgreSQL is gone, fails at once, and closes when it is back', async () => {
  const server = startProgram(new URL('stoppable-postgres.ts', import.meta.url))
  onTestFinished(async () => void (await server.end()))
  const say = async (line: string): Promise<void> => {
    server.say(line)
    expect(await server.line()).toBe(line)
  }
  // The breaker opens by the clock: none passes until the server is back, however long it takes to stop and start it.
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  let isBack = false
  const lines: string[] = []
  const attempts = await surviveOutage({
    connectionString: (await server.line())!,
    stopServer: () => say('stop'),
    async startServer() {
      await say('start')
      isBack = true
    },
    print(line) {
      lines.push(line)
      if (isBack && line === 'the breaker refused') vi.setSystemTime(Date.now() + 300)
    },
  })
  expect(attempts.map(({ outcome }) => outcome)).toEqual([
    'committed',
    // Two attempts to connect, then a third, whose failure opens the breaker.
    'ECONNREFUSED',
    'the breaker refused',
    'the breaker refused',
    'the breaker refused',
    'the breaker refused',
    'committed',
    'committed',
  ])
  // Without a connection in sight nobody waits.
  for (const { outcome, elapsedMs } of attempts)
    if (outcome === 'the breaker refused') expect(elapsedMs).toBeLessThan(10_000)
  expect(lines).toContain('the breaker is open')
  expect(lines.at(-3)).toBe('the breaker is closed')
})
