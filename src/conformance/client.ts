import { connect } from 'node:net';
import type { RawExchange } from './exchange.js';
import { readAnswer } from './framing.js';

/** More than any answer of a backend or an error page. */
const answerBytesMax = 1024 * 1024;

/**
 * Sends the text of one request on a connection of its own, and reads the answer. It neither retries nor repairs
 * anything, so the exchange shows what was on the wire. Never rejects.
 */
export function sendRaw(
  port: number,
  text: string,
  withinMs: number,
): Promise<Pick<RawExchange, 'answer' | 'failure'>> {
  return new Promise(resolve => {
    let bytes: Buffer = Buffer.alloc(0);
    let connected = false;
    const socket = connect({ host: '127.0.0.1', port }, () => {
      connected = true;
      socket.write(text);
    });
    const timer = setTimeout(() => settle('timeout'), withinMs);
    socket.on('data', chunk => {
      bytes = Buffer.concat([bytes, chunk]).subarray(0, answerBytesMax);
      if (readAnswer(bytes, undefined) !== undefined) settle(undefined);
    });
    socket.once('end', () => settle('closed'));
    socket.once('error', () => settle(connected ? 'reset' : 'refused'));
    socket.once('close', () => settle('closed'));
    function settle(failure: RawExchange['failure']): void {
      clearTimeout(timer);
      socket.destroy();
      const answer = readAnswer(bytes, failure === 'closed' ? 'fin' : failure && 'reset');
      resolve(answer?.complete ? { answer } : { answer, failure: failure ?? 'closed' });
    }
  });
}
