/**
 * PostgreSQL that is gone for a while: a policy of cockatiel around getting connections. A request that comes when the
 * server has just gone is tried again a few times; after several failures in a row the circuit breaker is open, and
 * requests fail at once, without another attempt to connect, until the server had time to come back.
 *
 * The policy sees how a connection is got and nothing of what is done on it: a failed statement opens no breaker, and no
 * half of a transaction is run twice. Running a transaction again that lost against another one is what `retry` is for.
 *
 * Run it with `node examples/transactions/policy.ts postgres://user:password@localhost/database`, and stop and start the
 * server meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '@keelson/core'
import { type Policy, transaction, withTransactions } from '@keelson/transactions/kysely'
import {
  type CircuitBreakerPolicy,
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleWhen,
  isBrokenCircuitError,
  retry,
  wrap,
} from 'cockatiel'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'

export interface Resilience {
  /** For `{ policy: { acquire } }`. One for each server, shared by all its transactions. */
  readonly acquire: Policy
  readonly breaker: CircuitBreakerPolicy
}

export function resilience({ attempts = 3, failures = 5, openMs = 10_000 } = {}): Resilience {
  // What the server refuses for another reason, a wrong password for example, it refuses again.
  const unreachable = handleWhen((error) => describeError(error).category === 'connection')
  const breaker = circuitBreaker(unreachable, {
    halfOpenAfter: openMs,
    breaker: new ConsecutiveBreaker(failures),
  })
  const again = retry(unreachable, {
    maxAttempts: attempts - 1,
    backoff: new ExponentialBackoff({ initialDelay: 50, maxDelay: 1_000 }),
  })
  return { acquire: wrap(again, breaker), breaker }
}

export interface Outage {
  readonly connectionString: string
  readonly stopServer: () => Promise<unknown>
  readonly startServer: () => Promise<unknown>
  readonly print?: (line: string) => void
}

/** One transaction after the other while the server is stopped and started. @returns what each came to */
export async function surviveOutage({
  connectionString,
  stopServer,
  startServer,
  print = () => {},
}: Outage): Promise<{ outcome: string; elapsedMs: number }[]> {
  const openMs = 300
  const { acquire, breaker } = resilience({ attempts: 2, failures: 3, openMs })
  breaker.onBreak(() => print('the breaker is open'))
  breaker.onReset(() => print('the breaker is closed'))

  const pool = new Pool({ connectionString, max: 5 })
  // Connections that are idle when the server goes report it here; without a listener that ends the process.
  pool.on('error', (error) => print(`an idle connection: ${error.message}`))
  const db = new Kysely<object>({
    dialect: withTransactions(new PostgresDialect({ pool }), {
      defaults: { policy: { acquire } },
    }),
  })

  const outcomes: { outcome: string; elapsedMs: number }[] = []
  const attempt = async (): Promise<void> => {
    const start = performance.now()
    const outcome = await transaction(db, () => sql`select 1`.execute(db)).then(
      () => 'committed',
      (error: Error & { code?: string }) =>
        isBrokenCircuitError(error) ? 'the breaker refused' : (error.code ?? error.message),
    )
    outcomes.push({ outcome, elapsedMs: performance.now() - start })
    print(outcome)
  }
  try {
    await attempt()
    await stopServer()
    for (let times = 0; times < 4; times++) await attempt()
    await startServer()
    await attempt() // The breaker does not know yet.
    await sleep(openMs)
    await attempt()
    await attempt()
    return outcomes
  } finally {
    await db.destroy()
  }
}

if (import.meta.main) {
  const [, , connectionString] = process.argv
  if (connectionString === undefined) throw new Error('Give a connection string.')
  const pause = (what: string) => async () => {
    console.log(`${what} the server now; this goes on in 10 seconds`)
    await sleep(10_000)
  }
  await surviveOutage({
    connectionString,
    stopServer: pause('Stop'),
    startServer: pause('Start'),
    print: console.log,
  })
}
