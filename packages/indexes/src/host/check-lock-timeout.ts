import { invalidOption } from '@keelson/core'

/** @throws {OptionError} for what is not the time of a timer */
export function checkLockTimeout(where: string, value: unknown): asserts value is number {
  if (typeof value === 'number' && value >= 0 && value <= 2 ** 31 - 1) return
  invalidOption(where, 'lockTimeoutMs', value, 'milliseconds, 0 to 2_147_483_647')
}
