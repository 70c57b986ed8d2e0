import type { Fate } from './fate.ts'

/** Who is to hear of what becomes of rows: one call of `add()` or `addMany()`. */
export interface Ticket {
  settle(index: number, fate: Fate): void
  fail(index: number, error: unknown): void
}

/** A row on its way through the buffer. */
export interface Entry {
  readonly row: object
  readonly bytes: number
  /** Nobody waits for a row that an earlier process has added. */
  readonly ticket: Ticket | undefined
  /** Its place among the rows of the ticket. */
  readonly index: number
  /** As it stands in the spill. */
  readonly payload: string | undefined
  /** Its place among all rows, from 1. */
  order: number
  /** Its number in the spill, from 1. */
  sequence: number
  /** When it was accepted, in milliseconds of the monotonic clock. */
  since: number
  /** An attempt to write it may have worked without anybody knowing. */
  mayBeThere: boolean
  /** It is on disk, and whoever added it was told so. */
  isSpilled: boolean
  isDecided: boolean
}

export function newEntry(
  row: object,
  bytes: number,
  payload: string | undefined,
  ticket: Ticket | undefined,
  index: number,
): Entry {
  return {
    row,
    bytes,
    ticket,
    index,
    payload,
    order: 0,
    sequence: 0,
    since: 0,
    mayBeThere: false,
    isSpilled: false,
    isDecided: false,
  }
}
