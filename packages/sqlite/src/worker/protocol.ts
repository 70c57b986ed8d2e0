import type { MessagePort } from 'node:worker_threads'
import type { ConnectionOptions } from '../options.ts'

// What the calling thread and a thread of SQLite send each other: arrays, which are quick to copy, in batches.

/** Slots of the memory that both share. */
export const slot = {
  /** Counts what was sent to the thread, which sleeps on it. */
  bell: 0,
  /** The first and the last of the requests that it works on now; 0 while there are none. */
  runningFrom: 1,
  runningTo: 2,
  /** Counts the parts of large results that the calling thread has taken in. */
  taken: 3,
  /** Not 0 once the thread has to end without doing what waits. */
  stop: 4,
  /** Not 0 while the thread sleeps. */
  sleeping: 5,
  /** Sums up how long the thread has worked on what it has answered, in microseconds. */
  worked: 6,
} as const

export const sharedBytes = 28

/** Kinds of requests. */
export const ask = {
  /** Run a statement. */
  run: 0,
  /** Run one of the driver's own statements. */
  control: 1,
  /** Send the rows of a statement in chunks, as many of them as were asked for. */
  stream: 2,
  /** Send more chunks. */
  more: 3,
  endStream: 4,
  /** Run a statement for many rows. */
  bulk: 5,
  /** Do a piece of maintenance. */
  task: 6,
  /** Do not begin with a request, or end it between two rows. */
  cancel: 7,
  /** Forget the texts of statements, whose numbers will not be used again. */
  forget: 8,
  close: 9,
} as const

/** How a statement is to be run. */
export const flag = {
  first: 2,
  /** In the transaction that is open on the connection, and never without one. */
  owned: 4,
  /** Its caller may lose interest between two rows. */
  stepwise: 8,
  /** It may be sent to another thread. */
  mayGoElsewhere: 16,
  /** It is not to be run, only to be told whether another thread has to: also while the connection is somebody's. */
  onlyRoute: 32,
} as const

/**
 * What begins a transaction, and which one. It goes with each of its statements until one has told that it is open: the
 * first may have been given up before it ran.
 */
export type Begin = readonly [sql: string, transaction: number]

export type RunRequest = readonly [
  id: number,
  kind: typeof ask.run,
  textId: number,
  text: string | undefined,
  parameters: readonly unknown[],
  flags: number,
  begin: Begin | undefined,
  timeoutMs: number | undefined,
]

export type ControlRequest = readonly [
  id: number,
  kind: typeof ask.control,
  sql: string,
  begin: Begin | undefined,
]

export type StreamRequest = readonly [
  id: number,
  kind: typeof ask.stream,
  sql: string,
  parameters: readonly unknown[],
  flags: number,
  chunkRows: number,
  begin: Begin | undefined,
]

/** @param outcome whether what the statement has written is kept */
export type EndStreamRequest = readonly [
  id: number,
  kind: typeof ask.endStream,
  outcome: 'kept' | 'undone',
]

export interface ColumnarRows {
  /** The statement for `rowsPerStatement` rows, and the one for what is left in the end. */
  readonly full: string
  readonly rest: string | undefined
  readonly rowsPerStatement: number
  readonly rowCount: number
  readonly columns: readonly (Float64Array | readonly unknown[])[]
  readonly tail: readonly unknown[]
  readonly countsUpserts: boolean
}

export type BulkRequest = readonly [
  id: number,
  kind: typeof ask.bulk,
  rows: ColumnarRows,
  begin: Begin | undefined,
]

export type TaskRequest = readonly [
  id: number,
  kind: typeof ask.task,
  name: TaskName,
  argument: unknown,
]

export type TaskName =
  | 'optimize'
  | 'vacuum'
  | 'checkpoint'
  | 'integrityCheck'
  | 'foreignKeyCheck'
  | 'deleteOrphans'
  | 'size'
  | 'backup'
  | 'suspendForeignKeys'
  | 'checkForeignKeys'
  | 'restoreForeignKeys'

export type PlainRequest = readonly [
  id: number,
  kind: typeof ask.more | typeof ask.cancel | typeof ask.forget | typeof ask.close,
]

export type Request =
  | RunRequest
  | ControlRequest
  | StreamRequest
  | EndStreamRequest
  | BulkRequest
  | TaskRequest
  | PlainRequest

/** Kinds of answers. */
export const answer = {
  /** Few rows, one value behind the other. */
  flat: 0,
  /** Rows by column. */
  columns: 1,
  /** No rows. */
  done: 2,
  failed: 3,
  /** It was not run: another thread has to. */
  elsewhere: 4,
  /** It was not begun, or ended between two rows. */
  cancelled: 5,
  /** What a task has come to. */
  value: 6,
  /** What a task has to tell meanwhile. */
  progress: 7,
  /** Whether reads may see something on the connection that writes which other connections do not. */
  privacy: 8,
  /** The connection is open. */
  ready: 9,
} as const

/** What a statement has changed, and what else is to be known of it. */
export interface Effects {
  readonly changes: number | undefined
  readonly insertId: bigint | undefined
}

export const nothing: Effects = { changes: undefined, insertId: undefined }

export type FlatAnswer = readonly [
  id: number,
  kind: typeof answer.flat,
  values: readonly unknown[],
  count: number,
  layout: Layout | undefined,
  effects: Effects | undefined,
]

export type ColumnsAnswer = readonly [
  id: number,
  kind: typeof answer.columns,
  columns: readonly (Float64Array | readonly unknown[])[],
  count: number,
  layout: Layout | undefined,
  effects: Effects | undefined,
  /** More of the same result follows. */
  hasMore: boolean,
  /** It is one of several parts, which are to be acknowledged. */
  isPart: boolean,
]

export type DoneAnswer = readonly [id: number, kind: typeof answer.done, effects: Effects]

export type FailedAnswer = readonly [
  id: number,
  kind: typeof answer.failed,
  error: ErrorPayload,
  /** The transaction that it was to run in is not open, or not any more. */
  hasEnded: boolean,
  /** Nothing of it was begun: the transaction could not be. */
  isUnbegun: boolean,
]

export type ValueAnswer = readonly [
  id: number,
  kind: typeof answer.value | typeof answer.progress | typeof answer.privacy,
  value: unknown,
]

export type PlainAnswer = readonly [
  id: number,
  kind: typeof answer.elsewhere | typeof answer.cancelled | typeof answer.ready,
]

export type Answer =
  | FlatAnswer
  | ColumnsAnswer
  | DoneAnswer
  | FailedAnswer
  | ValueAnswer
  | PlainAnswer

/** The columns of a statement, which are sent once. */
export interface Layout {
  readonly names: readonly string[]
}

/** An error on its way: a copy would lose its class and its code. */
export interface ErrorPayload {
  readonly name: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly cause: ErrorPayload | undefined
}

/** What is sent for a statement of a transaction that is not open any more. */
export const notOpen: ErrorPayload = { name: 'NotOpen', message: '', fields: {}, cause: undefined }

/** What a thread is given to begin with. */
export interface ThreadSetup {
  readonly keelsonSqlite: true
  readonly path: string
  readonly isReader: boolean
  readonly options: ConnectionOptions & { readonly queryTimeoutMs: number | undefined }
  readonly shared: SharedArrayBuffer
  readonly port: MessagePort
}
