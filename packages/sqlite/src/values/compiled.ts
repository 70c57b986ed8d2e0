/**
 * A function made of its text.
 *
 * @returns undefined where Node was started with --disallow-code-generation-from-strings
 */
export function compiled<F>(parameters: readonly string[], body: string): F | undefined {
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- made of column names, each a JSON string literal
    return new Function(...parameters, body) as F
  } catch (error) {
    if (error instanceof EvalError) return undefined
    throw error
  }
}
