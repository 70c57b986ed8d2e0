import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Frees what nobody can reach any more. The client closes results and appenders in no other way, and the instance they
 * belong to stays open until then.
 */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  collect()
  // Node runs the finalizers of native objects in a later turn.
  for (let turn = 0; turn < 3; turn++) await nextTurn()
}
