import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Answering, Recorder } from '../recording-backend.js';
import { type Allowances, classifyAnswer, type Judgement, judgeAnswer } from './judge.js';
import { type Lane, type Line, ofReceived, until } from './lane.js';
import { readAnswers } from './llhttp.js';

/** The backend's next answer, for one lane. */
export interface Script {
  pieces: readonly string[];
  /** It closes its connection after that. */
  closes: boolean;
  /** All pieces were sent. */
  spoken: boolean;
}

const own = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n';

/** Answers `/bad` with the script; any other request gets its own answer. */
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

/** Sends an answer in these pieces back through the engine, and judges the result. */
export async function tryAnswer(
  lane: Lane,
  recorder: Recorder,
  script: Script,
  { method, version, nth, allowances }: { method: string; version: string; nth: number; allowances: Allowances },
): Promise<Judgement> {
  const bytes = script.pieces.join('');
  const open = readAnswers(bytes, [method], false);
  const whole = open.messages.some(({ status, whole }) => whole && status >= 200);
  // The engine would wait 30 s for the rest, so the backend closes instead.
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
  const handling = classifyAnswer(returned);
  const passedOn = handling === 'passed on' ? 1 : 0;
  const wrong = judgeAnswer(returned, allowances) ?? (there ? undefined : 'neither answered nor cut');
  if (wrong !== undefined) return { handling, passedOn, wrong };
  // Late bytes could be mistaken for the next answer, so wait until all were sent.
  await until(() => script.spoken);
  for (let left = 2; left > 0; left -= 1) await turn();
  // If the backend's connections are closed, the next request cannot meet stray bytes.
  const isOver = recorder.connections.every(({ socket }) => socket.closed);
  return { handling, passedOn, wrong: isOver ? undefined : await nextInStep(lane, recorder, nth) };
}

/** Checks that the next request gets its own answer, without bytes of an earlier one. */
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
  if (answer?.body === (answer?.status === 502 ? 'no backend answered\n' : token)) return undefined;
  return `the next answer is not its request's own (${token}): ${JSON.stringify(line.received)}`;
}
