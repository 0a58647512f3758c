let line = '';
let madeMs = Number.NEGATIVE_INFINITY;

/** The line with which an answer gets its date, made once a second. */
export function dateLine(nowMs: number): string {
  if (nowMs - madeMs >= 1000 || nowMs < madeMs) {
    madeMs = nowMs - (nowMs % 1000);
    line = `date: ${new Date(nowMs).toUTCString()}\r\n`;
  }
  return line;
}
