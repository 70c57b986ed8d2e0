import type { QueryEvent } from './query-event.ts'

/**
 * One call of a statement that a layer above is measuring, for what only those below can tell of it: how long it waited
 * there, on which connection it ran, how long its rows took to decode. All `...Ms` are as in `QueryEvent`; whoever has let it
 * wait sets `waitMs` to the time since `startMs`, the wait above included.
 */
export interface StatementCall extends Pick<
  QueryEvent,
  'startMs' | 'waitMs' | 'decodeMs' | 'conn' | 'cache' | 'tx'
> {
  /** Which run of its transaction's callback it belongs to, where that is known to be run again. */
  attempt?: number | undefined
}

/**
 * Not an `AsyncLocalStorage`, which costs as much as a query: it is set only while the call below is being made, and
 * whoever waits there takes it along.
 */
let current: StatementCall | undefined

/** Makes a call of the layer below that `statementCall()` tells of until it returns. */
export function callStatement<R>(call: StatementCall | undefined, send: () => R): R {
  const outer = current
  current = call
  try {
    return send()
  } finally {
    current = outer
  }
}

/** The same for a call with two parameters: for those who make one for every query, and would make a function for each. */
export function callStatementWith<A, B, R>(
  call: StatementCall,
  send: (first: A, second: B) => R,
  first: A,
  second: B,
): R {
  const outer = current
  current = call
  try {
    return send(first, second)
  } finally {
    current = outer
  }
}

/** The call that is being made, if somebody above measures it. */
export function statementCall(): StatementCall | undefined {
  return current
}
