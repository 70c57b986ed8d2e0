export { type AnyDatabase, DrizzleHost } from './drizzle/drizzle-host.ts'
