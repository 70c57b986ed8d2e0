import type { EngineTraits } from '@keelson/core'
import { TransactionDeadlockError, TransactionOptionsError } from '../errors.ts'
import type { BeginSettings } from './line.ts'
import type { Root } from './root.ts'

const standardLevels = ['read uncommitted', 'read committed', 'repeatable read', 'serializable']
const isolationLevels: Readonly<Record<EngineTraits['engine'], readonly string[]>> = {
  sqlite: ['serializable'],
  duckdb: ['snapshot'],
  postgresql: standardLevels,
  mysql: standardLevels,
}

/**
 * Refuses what the engine does not have, and what would wait for the caller himself.
 *
 * @param suspended the transaction that the caller has left and that is still open
 * @throws {TransactionOptionsError} naming the option
 * @throws {TransactionDeadlockError} for a second writer on SQLite
 */
export function checkBegin(
  { engine, begin }: EngineTraits,
  { isolationLevel, behavior, accessMode }: BeginSettings,
  suspended: Root | undefined,
): void {
  const levels = isolationLevels[engine]
  if (isolationLevel !== undefined && !levels.includes(isolationLevel)) {
    throw new TransactionOptionsError(
      'isolationLevel',
      `transaction() cannot have \`isolationLevel\` ${JSON.stringify(isolationLevel)} on ${engine}, which has ` +
        `${levels.map((level) => `'${level}'`).join(', ')}. Nothing was sent.`,
    )
  }
  if (behavior !== undefined && begin.behavior === undefined) {
    throw new TransactionOptionsError(
      'behavior',
      `transaction() cannot have \`behavior\` ${JSON.stringify(behavior)} on ${engine}: only SQLite takes its locks in ` +
        'several ways. Leave it out. Nothing was sent.',
    )
  }
  if (behavior !== undefined && behavior !== 'deferred' && accessMode === 'read only') {
    throw new TransactionOptionsError(
      'behavior',
      `transaction() cannot begin '${behavior}' and be 'read only': that takes the right to write. Leave \`behavior\` ` +
        'out. Nothing was sent.',
    )
  }
  const writes = accessMode !== 'read only' && suspended?.options.accessMode !== 'read only'
  if (suspended !== undefined && engine === 'sqlite' && writes) {
    throw new TransactionDeadlockError(
      'Cannot begin another transaction that writes while the one around it is open: SQLite lets one write at a time, ' +
        'and the outer one would wait for the inner one for ever. Make it a savepoint (nested), run it after the commit ' +
        "(afterCommit), or begin it with accessMode: 'read only'. Nothing was sent.",
    )
  }
}
