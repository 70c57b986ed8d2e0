/** SQL and names may hold whatever somebody has sent: what is printed must not move the cursor of a terminal, or colour it. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ')
}
