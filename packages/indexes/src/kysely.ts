export { KyselyHost } from './kysely/kysely-host.ts'
