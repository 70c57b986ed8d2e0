import { checkOptionNames, invalidOption } from '@keelson/core'
import type { BeginOptions } from '../contract.ts'

/** Refuses what begin() would ignore, and what would become part of its SQL. @throws {OptionError} */
export function checkBeginOptions(options: BeginOptions): void {
  checkOptionNames('begin()', options, ['behavior', 'accessMode', 'signal'])
  const { behavior, accessMode } = options
  if (behavior !== undefined && !['immediate', 'deferred', 'exclusive'].includes(behavior))
    invalidOption('begin()', 'behavior', behavior, "'immediate', 'deferred', 'exclusive'")
  if (accessMode !== undefined && !['read only', 'read write'].includes(accessMode))
    invalidOption('begin()', 'accessMode', accessMode, "'read only', 'read write'")
}
