export { BulkInsertError, RowError } from './errors.ts'
export type { BulkInsertMethod, BulkInsertProgress, BulkInsertReport, Rejection } from './report.ts'
export type { Rows } from './source/row-source.ts'
export type { StandardIssue, StandardResult, StandardSchema } from './source/standard-schema.ts'
