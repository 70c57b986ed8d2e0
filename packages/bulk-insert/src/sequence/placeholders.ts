import type { EngineTraits } from '@keelson/core'

/** Makes the placeholders of one statement, one after the other. */
export function placeholders({ placeholder }: EngineTraits): () => string {
  let number = 0
  return () => (placeholder === '?' ? '?' : `$${++number}`)
}
