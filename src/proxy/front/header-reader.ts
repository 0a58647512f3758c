import type { Socket } from 'node:net';
import { parseProxyHeader } from './proxy-header.js';

/** `whole`: `clientAddress` as in `ProxyHeader`. `gone`: closed before a byte came, as port checks do. */
export interface HeaderRead {
  readonly kind: 'whole' | 'bad' | 'late' | 'gone';
  readonly clientAddress?: string | undefined;
}

/**
 * Takes the PROXY header off a connection; what came behind it is put back, for whoever reads next. Calls `done` once,
 * in the same turn in which the header is complete.
 */
export function readProxyHeader(socket: Socket, withinMs: number, done: (read: HeaderRead) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  const finish = (read: HeaderRead): void => {
    clearTimeout(timer);
    socket.removeListener('readable', onReadable).removeListener('end', onEnd).removeListener('close', onEnd);
    done(read);
  };
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const header = parseProxyHeader(bytes);
    if (header.kind === 'more') return;
    if (header.kind === 'whole' && bytes.length > header.bytes) socket.unshift(bytes.subarray(header.bytes));
    finish(header);
  };
  const onEnd = (): void => finish({ kind: bytes.length === 0 ? 'gone' : 'bad' });
  const timer = setTimeout(() => finish({ kind: 'late' }), withinMs);
  socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
}
