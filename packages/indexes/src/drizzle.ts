export { type AnyDatabase, DrizzleHost } from './drizzle/drizzle-host.ts'
export { introspect } from './drizzle/introspect.ts'
export type { IntrospectOptions } from './introspect/introspect.ts'
export { adviseIndexes, createAdvisor, type DrizzleAdvisor } from './drizzle/advisor.ts'
