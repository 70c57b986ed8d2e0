export { type Config, defineConfig } from './config/config.ts'
export { ConfigError, WorkloadError } from './errors.ts'
export { type ExitCode, exitCodes } from './exit-codes.ts'
export { run } from './run.ts'
