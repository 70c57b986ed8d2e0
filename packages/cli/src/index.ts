export { type Config, defineConfig } from './config/config.ts'
export { ConfigError } from './errors.ts'
export { type ExitCode, exitCodes } from './exit-codes.ts'
export { run } from './run.ts'
