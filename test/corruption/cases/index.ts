import type { CorruptionCase } from '../case.ts'
import { byText } from './by-text.ts'
import { duckdb } from './duckdb.ts'
import { engineTruth } from './engine-truth.ts'
import { escapes } from './escapes.ts'
import { lateBranches } from './late-branches.ts'
import { lostConnections } from './lost-connections.ts'
import { options } from './options.ts'
import { parents } from './parents.ts'
import { siblings } from './siblings.ts'
import { syncCallbacks } from './sync-callbacks.ts'

/** All cases, in the order of the table. */
export const cases: readonly CorruptionCase[] = [
  ...siblings,
  ...parents,
  ...escapes,
  ...lateBranches,
  ...engineTruth,
  ...lostConnections,
  ...options,
  ...syncCallbacks,
  ...byText,
  ...duckdb,
]
