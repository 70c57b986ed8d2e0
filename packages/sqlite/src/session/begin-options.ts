import { checkOptionNames, invalidOption } from '@keelson/core'
import type { BeginOptions } from '../contract.ts'

/** Refuses what would be ignored, and what would become part of its SQL. @throws {OptionError} */
export function checkBeginOptions(where: string, options: BeginOptions): void {
  checkOptionNames(where, options, ['behavior', 'accessMode', 'signal'])
  const { behavior, accessMode } = options
  if (behavior !== undefined && !['immediate', 'deferred', 'exclusive'].includes(behavior))
    invalidOption(where, 'behavior', behavior, "'immediate', 'deferred', 'exclusive'")
  if (accessMode !== undefined && !['read only', 'read write'].includes(accessMode))
    invalidOption(where, 'accessMode', accessMode, "'read only', 'read write'")
}
