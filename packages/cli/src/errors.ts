import { KeelsonError } from '@keelson/core'

/** There is no `keelson.config.ts`, or it does not say what a command needs. Nothing was done. */
export class ConfigError extends KeelsonError {
  declare readonly code: 'NO_CONFIG' | 'CONFIG_NOT_LOADED' | 'INVALID_CONFIG' | 'INVALID_TABLES'

  constructor(code: ConfigError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** What was given as a workload or as a baseline is none. Nothing was done. */
export class WorkloadError extends KeelsonError {
  declare readonly code: 'NO_WORKLOAD' | 'INVALID_WORKLOAD' | 'NO_BASELINE' | 'INVALID_BASELINE'

  constructor(code: WorkloadError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
