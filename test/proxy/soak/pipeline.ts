import { connect } from 'node:net';
import type { AnswerFacts } from './judge.js';
import { headersOf, isRight, patienceMs, type Result } from './shoot.js';
import type { Wish } from './wishes.js';

/** Sends all in one packet on a new connection. Returns the results in the order of the wishes. Never rejects. */
export function pipeline(url: string, wishes: readonly Wish[], cookie: string | undefined): Promise<Result[]> {
  const { hostname, port } = new URL(url);
  return new Promise(resolve => {
    const socket = connect(Number(port), hostname);
    const results: Result[] = [];
    let bytes = Buffer.alloc(0);
    const finish = (late = false): void => {
      clearTimeout(timer);
      socket.destroy();
      // The first without an answer was cut if its head had come; those behind it never had a turn.
      for (const wish of wishes.slice(results.length)) {
        results.push(unfinished(bytes, wish, late));
        bytes = Buffer.alloc(0);
      }
      resolve(results);
    };
    const timer = setTimeout(() => finish(true), patienceMs);
    socket.on('error', () => finish());
    socket.on('close', () => finish());
    socket.on('data', data => {
      bytes = Buffer.concat([bytes, data]);
      for (;;) {
        const wish = wishes[results.length];
        const taken = wish && take(bytes, wish);
        if (taken === undefined) break;
        bytes = bytes.subarray(taken.length);
        results.push(taken.result);
      }
      if (results.length === wishes.length) finish();
    });
    socket.write(wishes.map(wish => headOf(wish, cookie)).join(''));
  });
}

function headOf(wish: Wish, cookie: string | undefined): string {
  const fields = Object.entries(headersOf(wish, cookie)).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${wish.method} /pipelined HTTP/1.1\r\nHost: soak\r\n${fields.join('')}\r\n`;
}

/** Returns the first answer in these bytes if it is complete. */
function take(bytes: Buffer, wish: Wish): { readonly length: number; readonly result: Result } | undefined {
  const answer = answerIn(bytes);
  if (answer === undefined || bytes.length < answer.bodyAt + answer.length) return undefined;
  const length = answer.bodyAt + answer.length;
  const bodyRight = isRight(bytes.subarray(answer.bodyAt, length), wish, 'answered');
  return { length, result: { end: 'answered', answer: answer.facts, bodyRight, cookie: answer.cookie } };
}

interface Head {
  readonly facts: AnswerFacts;
  readonly cookie: string | undefined;
  readonly bodyAt: number;
  readonly length: number;
}

function answerIn(bytes: Buffer): Head | undefined {
  const bodyAt = bytes.indexOf('\r\n\r\n') + 4;
  if (bodyAt < 4) return undefined;
  const head = bytes.toString('latin1', 0, bodyAt);
  const field = (name: string): string | undefined => new RegExp(`\r\n${name}: *(.*?)\r\n`, 'i').exec(head)?.[1];
  const facts: AnswerFacts = {
    status: Number(head.slice(9, 12)),
    token: field('x-token'),
    backend: field('x-backend'),
    incarnation: field('x-incarnation'),
    proxyStatus: field('proxy-status'),
  };
  const cookie = field('set-cookie')?.split(';')[0];
  return { facts, cookie, bodyAt, length: Number(field('content-length') ?? 0) };
}

function unfinished(bytes: Buffer, wish: Wish, late: boolean): Result {
  const head = answerIn(bytes);
  const end = late ? 'late' : head === undefined ? 'unanswered' : 'cut';
  const bodyRight = isRight(bytes.subarray(head?.bodyAt ?? bytes.length), wish, end);
  return { end, answer: head?.facts, bodyRight, cookie: head?.cookie };
}
