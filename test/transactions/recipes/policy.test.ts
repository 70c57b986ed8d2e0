import { expect, onTestFinished, test } from 'vitest'
import { surviveOutage } from '../../../examples/transactions/policy.ts'
import { startProgram } from '../../support/program.ts'

test('a circuit breaker opens while PostgreSQL is gone, fails at once, and closes when it is back', async () => {
  const server = startProgram(new URL('stoppable-postgres.ts', import.meta.url))
  onTestFinished(async () => void (await server.end()))
  const say = async (line: string): Promise<void> => {
    server.say(line)
    expect(await server.line()).toBe(line)
  }
  const lines: string[] = []
  const attempts = await surviveOutage({
    connectionString: (await server.line())!,
    stopServer: () => say('stop'),
    startServer: () => say('start'),
    print: (line) => lines.push(line),
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
    if (outcome === 'the breaker refused') expect(elapsedMs).toBeLessThan(1_000)
  expect(lines).toContain('the breaker is open')
  expect(lines.at(-3)).toBe('the breaker is closed')
})
