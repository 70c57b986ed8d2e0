import type { EngineName } from '@keelson/core'
import type { IndexDefinition } from '../ir/index-definition.ts'
import { dialects } from './dialects.ts'

/** The method that an index asks for, in lower case; undefined for the engine's own, which need not be named. */
export function methodOf(index: IndexDefinition, engine: EngineName): string | undefined {
  const method = index.method?.[engine]?.toLowerCase()
  return method === dialects[engine].index.method ? undefined : method
}
