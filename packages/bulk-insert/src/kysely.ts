export type {
  BufferLoss,
  BufferRejection,
  BufferRetryOptions,
  BufferSpillOptions,
  CommonBufferOptions,
} from './buffer/buffer-options.ts'
export type { WriteBufferStats } from './buffer/buffer-stats.ts'
export {
  BufferClosedError,
  BufferFullError,
  BufferStoppedError,
  BufferTransactionError,
  OutcomeUnknownError,
  RowDroppedError,
  RowExpiredError,
  RowsRejectedError,
  SpillError,
} from './buffer/errors.ts'
export type { Fate, RejectedFate } from './buffer/fate.ts'
export type { SignalOptions } from './buffer/shutdown-signals.ts'
export type { CloseOptions, WriteBuffer } from './buffer/write-buffer.ts'
export {
  BulkInsertError,
  EventConflictError,
  EventIdError,
  MissingTableError,
  RowError,
  SequenceRangeError,
  WriteConflictError,
} from './errors.ts'
export { appendEvents } from './kysely/append-events.ts'
export { bulkInsert, type BulkInsertOptions, type OnConflict } from './kysely/bulk-insert.ts'
export { createEventTables } from './kysely/create-event-tables.ts'
export { createSequenceTable } from './kysely/create-sequence-table.ts'
export { createWriteBuffer, type WriteBufferOptions } from './kysely/create-write-buffer.ts'
export { nextSequence } from './kysely/next-sequence.ts'
export type { CommonOptions } from './options.ts'
export type { BulkInsertMethod, BulkInsertProgress, BulkInsertReport, Rejection } from './report.ts'
export type { AppendOptions, ExpectedVersion } from './sequence/append-options.ts'
export type { AppendedEvent, AppendResult, NewEvent } from './sequence/event.ts'
export { type EventTableOptions, eventTableStatements } from './sequence/event-tables.ts'
export type { SequenceOptions, SequenceRange } from './sequence/sequence-options.ts'
export { type SequenceTableOptions, sequenceTableStatements } from './sequence/sequence-table.ts'
export type { Rows } from './source/row-source.ts'
export type { StandardIssue, StandardResult, StandardSchema } from './source/standard-schema.ts'
