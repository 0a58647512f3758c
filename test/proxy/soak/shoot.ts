import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { AnswerFacts, End } from './judge.js';
import { rightAnswer, type Wish } from './wishes.js';

/** The client's time-out. The proxy gives up an answer after 30 s, and may have tried another backend before. */
export const patienceMs = 45_000;
/** A slow reader pauses this long after each part of an answer. */
const sipPauseMs = 80;

/** The result of a wish, as its client saw it. */
export interface Result {
  readonly end: End;
  readonly answer: AnswerFacts | undefined;
  /** The body was right, byte for byte; for a cut answer, as far as it came. */
  readonly bodyRight: boolean;
  /** The cookie that the answer set. */
  readonly cookie: string | undefined;
}

/** Sends one HTTP request as its wish says. Never rejects. */
export function shoot(url: string, wish: Wish, agent: Agent, cookie: string | undefined): Promise<Result> {
  const closing = wish.kind === 'closing';
  const own = closing ? new Agent() : agent;
  const asked = request(url, { method: wish.method, headers: headersOf(wish, cookie), agent: own });
  const result = outcome(asked, wish);
  send(asked, wish);
  return result;
}

export function headersOf({ kind, token, thinkMs, bytes, body }: Wish, cookie: string | undefined) {
  return {
    'x-token': token,
    ...(thinkMs === 0 ? {} : { 'x-think': String(thinkMs) }),
    ...(bytes === 0 ? {} : { 'x-bytes': String(bytes) }),
    ...(cookie === undefined ? {} : { cookie }),
    ...(body === undefined || kind === 'chunked-post' ? {} : { 'content-length': body.length }),
    ...(kind === 'closing' ? { connection: 'close' } : {}),
  };
}

function send(asked: ClientRequest, { kind, body, thinkMs }: Wish): void {
  if (kind === 'leaving-upload') {
    asked.flushHeaders();
    asked.write(body?.subarray(0, body.length / 2));
    setTimeout(() => asked.destroy(), thinkMs);
  } else if (kind === 'chunked-post') {
    const half = Math.ceil((body?.length ?? 0) / 2);
    asked.write(body?.subarray(0, half));
    setImmediate(() => asked.end(body?.subarray(half)));
  } else asked.end(body);
  if (kind === 'leaving') setTimeout(() => asked.destroy(), thinkMs / 2);
}

function outcome(asked: ClientRequest, wish: Wish): Promise<Result> {
  const leaves = wish.kind.startsWith('leaving');
  return new Promise(resolve => {
    let answer: AnswerFacts | undefined;
    let cookie: string | undefined;
    const chunks: Buffer[] = [];
    const end = (end: End): void => {
      clearTimeout(timer);
      resolve({ end, answer, bodyRight: isRight(Buffer.concat(chunks), wish, end), cookie });
    };
    const timer = setTimeout(() => {
      end('late');
      asked.destroy();
    }, patienceMs);
    asked.on('error', () => {});
    // Once an answer has begun, its reader reports how it ended.
    asked.on('close', () => answer === undefined && end(leaves ? 'left' : 'unanswered'));
    asked.on('response', head => {
      answer = factsOf(head);
      cookie = cookieOf(head);
      if (leaves) {
        asked.destroy();
        return end('left');
      }
      read(head, wish.kind === 'slow-reader', chunks).then(
        () => end('answered'),
        () => end('cut'),
      );
    });
  });
}

async function read(answer: IncomingMessage, slow: boolean, chunks: Buffer[]): Promise<void> {
  for await (const chunk of answer) {
    chunks.push(chunk);
    if (slow) await new Promise(resolve => setTimeout(resolve, sipPauseMs));
  }
}

/** Whether the body is the right one; an incomplete answer must be its beginning. */
export function isRight(body: Buffer, wish: Wish, end: End): boolean {
  const right = rightAnswer(wish);
  return body.equals(end === 'answered' ? right : right.subarray(0, body.length));
}

export function factsOf({ statusCode = 0, headers }: IncomingMessage): AnswerFacts {
  const one = (name: string): string | undefined => headers[name]?.toString();
  return {
    status: statusCode,
    token: one('x-token'),
    backend: one('x-backend'),
    incarnation: one('x-incarnation'),
    proxyStatus: one('proxy-status'),
  };
}

export function cookieOf({ headers }: IncomingMessage): string | undefined {
  return headers['set-cookie']?.find(line => line.startsWith('holdfast='))?.split(';')[0];
}
