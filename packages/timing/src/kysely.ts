export { health } from './kysely/health.ts'
export { attach, withTiming } from './kysely/with-timing.ts'
