export { health } from './drizzle/health.ts'
export { UnsupportedDrizzleError } from '@keelson/core/drizzle'
export { type AnyDatabase, withTiming } from './drizzle/with-timing.ts'
