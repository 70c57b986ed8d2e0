/**
 * From `duckdb_settings()` of DuckDB 1.5.6: those with scope LOCAL, which each connection has for itself. All others
 * belong to the whole instance.
 */
export const localSettings: ReadonlySet<string> = new Set([
  'custom_profiling_settings',
  'debug_force_external',
  'enable_caching_operators',
  'enable_http_logging',
  'enable_profiling',
  'enable_progress_bar',
  'enable_progress_bar_print',
  'http_logging_output',
  'profile_output',
  'profiling_coverage',
  'profiling_mode',
  'profiling_output',
  'progress_bar_time',
  'schema',
  'search_path',
  'streaming_buffer_size',
])
