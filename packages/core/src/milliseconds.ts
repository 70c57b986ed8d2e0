/** Milliseconds as people read them: `12 µs`, `3.4 ms`, `1.20 s`. */
export function milliseconds(ms: number): string {
  if (ms === 0) return '0'
  if (ms < 0.0995) return `${(ms * 1000).toFixed(ms < 0.00995 ? 1 : 0)} µs`
  if (ms < 9.995) return `${ms.toFixed(2)} ms`
  if (ms < 99.95) return `${ms.toFixed(1)} ms`
  return ms < 9_999.5 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`
}
