import { Holder } from '@keelson/core'
import type { StatementEngine } from '../statement/statement-engine.ts'
import type { InlineEngine } from './inline-engine.ts'
import { migrationTimeoutMs } from '../migration/migration-timeout.ts'
import type { Patience } from '../session/patience.ts'

/** A connection that one session owns. */
export interface Owned {
  readonly engine: StatementEngine
  readonly holder: Holder
  readonly isWriter: boolean
  giveBack(): void
}

/** Waits for the write connection. */
export async function ownWriter(
  { gate, writer }: InlineEngine,
  kind: 'transaction' | 'migration',
  patience: Patience,
  signal?: AbortSignal,
): Promise<Owned> {
  const holder = new Holder(kind)
  if (!gate.tryEnter(holder)) {
    const timeoutMs = kind === 'migration' ? migrationTimeoutMs : undefined
    await patience.during(`begin ${kind}`, signal, (either) =>
      gate.enter(holder, `begin ${kind}`, either, timeoutMs),
    )
  }
  return { engine: writer, holder, isWriter: true, giveBack: () => gate.leave(holder) }
}

/** Waits for a read connection, which leaves writers alone. */
export async function ownReader(
  engine: InlineEngine,
  patience: Patience,
  signal?: AbortSignal,
): Promise<Owned> {
  const holder = new Holder('transaction')
  engine.assertOpen()
  const lease = await patience.during('begin (read only)', signal, (either) =>
    engine.borrowReader('begin (read only)', either),
  )
  return { engine: lease.resource, holder, isWriter: false, giveBack: () => lease.release() }
}

/** Runs one of the driver's own statements. */
export function control({ engine }: Pick<Owned, 'engine'>, sql: string): void {
  engine.prepare(sql).forRun().run()
}
