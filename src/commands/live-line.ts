/** Whether whoever looks at stderr sees a line being written over: a terminal, and no log of a CI. */
export function isLive(): boolean {
  return process.stderr.isTTY === true && process.env.CI === undefined;
}

/** Writes over the line that stands on stderr; what does not fit is cut off. */
export function drawLine(text: string): void {
  process.stderr.write(`\r\u001b[2K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
}

export function bar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * 16);
  return '█'.repeat(filled) + '░'.repeat(16 - filled);
}
