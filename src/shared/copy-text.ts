/** Returns a copy of a part of a request header. A substring would keep the whole header in memory. */
export function copyText(part: string): string {
  return Buffer.from(part, 'latin1').toString('latin1');
}
