import { createHash } from 'node:crypto';
import { Readable, Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const blockBytes = 64 * 1024;

/** Makes this many bytes as fast as they are read; no two blocks are the same. */
export function pattern(bytes: number): Readable {
  return Readable.from(blocks(bytes), { objectMode: false, highWaterMark: blockBytes });
}

function* blocks(bytes: number): Generator<Buffer> {
  const block = Buffer.alloc(blockBytes, 'holdfast');
  for (let at = 0; at < bytes; at += blockBytes) {
    // A copy, because the previous block may still be in use.
    const next = Buffer.from(block.subarray(0, Math.min(blockBytes, bytes - at)));
    next.writeDoubleLE(at, 0);
    yield next;
  }
}

export function patternSum(bytes: number): string {
  const hash = createHash('sha256');
  for (const block of blocks(bytes)) hash.update(block);
  return hash.digest('hex');
}

/** Limits the rate in bytes per second; 0: no limit. */
export function throttle(bytesPerS: number): Transform {
  const startedMs = performance.now();
  let passed = 0;
  return new Transform({
    highWaterMark: blockBytes,
    transform(chunk: Buffer, _, done) {
      passed += chunk.length;
      const aheadMs = bytesPerS === 0 ? 0 : (passed / bytesPerS) * 1_000 - (performance.now() - startedMs);
      if (aheadMs > 0) void sleep(aheadMs).then(() => done(null, chunk));
      else done(null, chunk);
    },
  });
}
