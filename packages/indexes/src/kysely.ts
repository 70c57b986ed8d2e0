export { KyselyHost } from './kysely/kysely-host.ts'
export { introspect } from './kysely/introspect.ts'
export type { IntrospectOptions } from './introspect/introspect.ts'
export { adviseIndexes, createAdvisor, type KyselyAdvisor } from './kysely/advisor.ts'
