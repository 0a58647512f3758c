import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Answering, Recorder } from '../recording-backend.js';
import { type Allowances, fateOfAnswer, type Judgement, judgeAnswer } from './judge.js';
import { type Lane, type Line, ofReceived, until } from './lane.js';
import { readAnswers } from './llhttp.js';

/** What the backend of a lane says next. */
export interface Script {
  pieces: readonly string[];
  /** It closes its connection behind that. */
  closes: boolean;
  /** It has said everything. */
  spoken: boolean;
}

const own = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n';

/** Speaks as the script says when asked for `/bad`; anything else gets its own answer. */
export function speaking(script: Script): Answering {
  return ({ target, method }, { socket }) => {
    if (target === '/bad') void speak(socket, script);
    else socket.write(`${own}${method === 'HEAD' ? '' : target.slice(-3)}`);
  };
}

async function speak(socket: Socket, script: Script): Promise<void> {
  for (const [nth, piece] of script.pieces.entries()) {
    if (nth > 0) await turn();
    if (socket.writable) socket.write(piece, 'latin1');
  }
  if (script.closes) socket.end();
  script.spoken = true;
}

/** The answer of these pieces goes back through the engine; what came of it is judged. */
export async function tryAnswer(
  lane: Lane,
  recorder: Recorder,
  script: Script,
  { method, version, nth, allowances }: { method: string; version: string; nth: number; allowances: Allowances },
): Promise<Judgement> {
  const bytes = script.pieces.join('');
  const open = readAnswers(bytes, [method], false);
  const whole = open.messages.some(({ status, whole }) => whole && status >= 200);
  // What would be waited for, for half a minute, is given up by the backend.
  script.closes ||= !whole;
  const given = script.closes && !whole ? readAnswers(bytes, [method], true) : open;
  const line = await lane.open();
  line.write(`${method} /bad HTTP/${version}\r\nHost: x\r\n\r\n`);
  const answered = ofReceived(line, received =>
    readAnswers(received, [method], false).messages.some(({ status }) => status >= 200),
  );
  const there = await until(() => line.over || answered());
  for (let left = 3; left > 0; left -= 1) await turn();
  line.close();
  const returned = { given, method, got: line.received, ended: line.over, broken: line.broken };
  const fate = fateOfAnswer(returned);
  const passedOn = fate === 'passed on' ? 1 : 0;
  const wrong = judgeAnswer(returned, allowances) ?? (there ? undefined : 'neither answered nor cut');
  if (wrong !== undefined) return { fate, passedOn, wrong };
  // What comes when the next request is on its way already cannot be told from its answer.
  await until(() => script.spoken);
  for (let left = 2; left > 0; left -= 1) await turn();
  // Where the backend's connection is gone, there is nothing that the next request could meet on it.
  const isOver = recorder.connections.every(({ socket }) => socket.closed);
  return { fate, passedOn, wrong: isOver ? undefined : await nextInStep(lane, recorder, nth) };
}

/** Whoever comes next gets its own answer, and nothing of what came before. */
async function nextInStep(lane: Lane, recorder: Recorder, nth: number): Promise<string | undefined> {
  const token = String(nth % 1000).padStart(3, '0');
  const line: Line = await lane.open();
  line.write(`GET /${token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  await until(() => line.over);
  line.close();
  const [answer] = readAnswers(line.received, ['GET'], false).messages;
  recorder.connections.splice(
    0,
    recorder.connections.length,
    ...recorder.connections.filter(({ socket }) => !socket.closed),
  );
  recorder.requests.length = 0;
  if (answer?.body === (answer?.status === 502 ? 'nobody answered\n' : token)) return undefined;
  return `the next answer is not its request's own (${token}): ${JSON.stringify(line.received)}`;
}
