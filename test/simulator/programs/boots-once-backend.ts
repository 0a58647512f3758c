/** A backend that boots once and never again: it finds what its first boot left, and ends. `MARK` begins the name. */
import { existsSync, writeFileSync } from 'node:fs';

const mark = `${process.env.MARK}-${process.env.BACKEND_ID}`;
if (existsSync(mark)) {
  console.error('the lock of an earlier start is still there');
  process.exit(7);
}
writeFileSync(mark, '');
await import('#backends/shop.js');
