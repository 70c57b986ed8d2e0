export { checkConfig, isPlainObject, readArguments, relationalSchema } from './drizzle/config.ts'
export type { SourceForms } from './drizzle/config.ts'
export { engineNameOfDatabase } from './drizzle/database-engine.ts'
export { exactNumber } from './drizzle/exact-number.ts'
export { checkFound, checkVersion, UnsupportedDrizzleError } from './drizzle/installed-version.ts'
export {
  decoderOf,
  DrizzleQueryError,
  drizzleSession,
  isIdentity,
  kindOf,
  orAbsent,
  preparedFrom,
  rowsOf,
  sessionOf,
  setEntityKind,
} from './drizzle/internals.ts'
export type { JoinNullability, SelectedField } from './drizzle/internals.ts'
export {
  type PreparedWatch,
  type SentMethod,
  type StreamedMethod,
  watchPrepared,
} from './drizzle/prepared-patch.ts'
export { CacheInvalidationError, QueryCache } from './drizzle/query-cache.ts'
export type { QueryMetadata } from './drizzle/query-cache.ts'
export { mockError, queryError } from './drizzle/query-error.ts'
export { RowMappers } from './drizzle/row-mapper.ts'
export type { FieldDecoder, RowMapper, Selected } from './drizzle/row-mapper.ts'
export { addSessionLayer, callOriginal, sessionLayer } from './drizzle/session-patch.ts'
export type { NextLayer, PatchableSession, SessionLayer } from './drizzle/session-patch.ts'
export { StatementFence } from './drizzle/statement-fence.ts'
export { StatementLog } from './drizzle/statement-log.ts'
