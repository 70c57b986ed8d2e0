import { randomUUID } from 'node:crypto'
import { checkOptionNames, describeValue, invalidOption, OptionError } from '@keelson/core'
import { checkName } from './check-name.ts'
import type { NewEvent } from './event.ts'
import { type EventTableOptions, eventTableOptionNames } from './event-tables.ts'
import { checkRetry } from './sequence-options.ts'

/**
 * What a stream has to be for an append: `'any'` whatever it is, `'noStream'` or 0 not there yet, `'exists'` there, a number
 * at that version.
 */
export type ExpectedVersion = 'any' | 'noStream' | 'exists' | number

/** Options of `appendEvents()`. */
export interface AppendOptions extends EventTableOptions {
  /** What the stream has to be. Required, so that nobody overwrites a decision without having said so. */
  readonly expectedVersion: ExpectedVersion
  /**
   * For how long it is tried again when other transactions are in the way, in milliseconds; 0 means once. It is for calls
   * outside of a transaction: inside one it throws, since a transaction can only run again as a whole.
   * @default 5_000
   */
  readonly retryForMs?: number | undefined
}

/** An event as it is sent. */
export interface EventRow {
  readonly id: string
  readonly type: string
  readonly data: string
  readonly metadata: string | null
}

const where = 'appendEvents()'

/** @throws {OptionError} for an option that nobody reads, or of an impossible value */
export function checkAppendOptions(
  options: AppendOptions,
  isInTransaction: boolean,
): { readonly expectedVersion: ExpectedVersion; readonly retryForMs: number } {
  if (typeof options !== 'object' || options === null)
    invalidOption(where, 'options', options, '`{ expectedVersion }`')
  checkOptionNames(where, options, [...eventTableOptionNames, 'expectedVersion', 'retryForMs'])
  const { expectedVersion } = options
  const isVersion = Number.isSafeInteger(expectedVersion) && (expectedVersion as number) >= 0
  if (!isVersion && !['any', 'noStream', 'exists'].includes(expectedVersion as string))
    invalidOption(
      where,
      'expectedVersion',
      expectedVersion,
      "'any', 'noStream', 'exists' or a version, from 0",
    )
  return {
    expectedVersion,
    retryForMs: checkRetry(where, options.retryForMs, isInTransaction),
  }
}

/** @throws {OptionError} for events that cannot be sent, with the position of the first one */
export function checkEvents(events: readonly NewEvent[]): readonly EventRow[] {
  if (!Array.isArray(events) || events.length === 0)
    invalidOption(where, 'events', events, 'an array of at least one event')
  const seen = new Set<string>()
  return events.map((event: NewEvent, index) => {
    const at = `events[${index}]`
    if (typeof event !== 'object' || event === null)
      invalidOption(where, at, event, '`{ id, type, data, metadata }`')
    checkOptionNames(`\`${at}\` of ${where}`, event, ['id', 'type', 'data', 'metadata'])
    const { id = randomUUID(), type, data, metadata } = event
    checkName(where, `${at}.id`, id)
    checkName(where, `${at}.type`, type)
    if (seen.has(id)) invalidOption(where, `${at}.id`, id, 'an id that no other of the events has')
    seen.add(id)
    return {
      id,
      type,
      data: jsonOf(`${at}.data`, data),
      metadata: metadata === undefined ? null : jsonOf(`${at}.metadata`, metadata),
    }
  })
}

function jsonOf(option: string, value: unknown): string {
  let cause: unknown
  try {
    const text = JSON.stringify(value) as string | undefined
    if (text !== undefined) return text
  } catch (error) {
    cause = error
  }
  throw new OptionError(
    'INVALID_OPTION',
    option,
    `${where} cannot use ${describeValue(value)} as \`${option}\`: it cannot be written as JSON. ` +
      'Leave out functions, symbols and cycles, turn a bigint into text, and give null for nothing.',
    cause === undefined ? undefined : { cause },
  )
}
