/** Whether a text has no half of a surrogate pair by itself. That has no UTF-8, and would arrive as another character. */
export function isWellFormed(text: string): boolean {
  // Of ES2024; every Node that this package runs on has it.
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}
