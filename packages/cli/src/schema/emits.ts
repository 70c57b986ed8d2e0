import type { Emit } from '@keelson/indexes'

/** What can be generated. */
export const emits: readonly Emit[] = ['sql', 'kysely-migration', 'drizzle', 'kysely-types']
