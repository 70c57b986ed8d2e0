/**
 * A short, stable name for a text: FNV-1a with 64 bits, in 16 hexadecimal digits.
 * http://www.isthe.com/chongo/tech/comp/fnv/
 *
 * It goes over UTF-16 code units in place of bytes, which makes no difference for ASCII. The product with the prime
 * 2^40 + 435 is taken in two halves, since a number holds 53 bits and a BigInt costs a hundred times as much.
 */
export function fingerprintId(text: string): string {
  let low = 0x84222325
  let high = 0xcbf29ce4
  for (let at = 0; at < text.length; at++) {
    low = (low ^ text.charCodeAt(at)) >>> 0
    // Both sums stay below 2^53, where `>>>` takes their last 32 bits exactly.
    const product = low * 435
    high = (high * 435 + Math.floor(product / 0x100000000) + low * 256) >>> 0
    low = product >>> 0
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}
