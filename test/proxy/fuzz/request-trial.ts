import { setImmediate as turn } from 'node:timers/promises';
import type { Recorder } from '../recording-backend.js';
import { type Allowances, classifyRequests, type Judgement, judgeRequests } from './judge.js';
import { type Lane, ofReceived, until } from './lane.js';
import { readAnswers, readRequests } from './llhttp.js';

/** After this many turns, an event that has not happened will not happen. */
const turnsAfterwards = 5;
const neverGivenUp = 'a request was begun and is neither ended nor given up, though its client is gone';
const neverServed = 'neither served nor refused, though llhttp has read it whole';

/** Sends the pieces through the engine and judges what arrived. */
export async function tryRequest(
  lane: Lane,
  recorder: Recorder,
  pieces: readonly string[],
  allowances: Allowances,
): Promise<Judgement> {
  const given = readRequests(pieces.join(''));
  recorder.requests.length = 0;
  for (const connection of recorder.connections) connection.bytes = '';
  const line = await lane.open();
  for (const [nth, piece] of pieces.entries()) {
    if (nth > 0) await turn();
    line.write(piece);
  }
  const answered = ofReceived(line, received => {
    const methods = recorder.requests.map(({ method }) => method);
    return readAnswers(received, methods, false).messages.filter(({ status }) => status >= 200).length;
  });
  const served = await until(() => line.over || recorder.problems().length > 0 || answered() >= given.messages.length);
  for (let left = turnsAfterwards; left > 0; left -= 1) await turn();
  line.close();
  const over = await until(
    () =>
      lane.pending === 0 && recorder.connections.every(({ strict, socket }) => strict.partial === '' || socket.closed),
  );
  const partials = recorder.connections.filter(({ socket }) => socket.closed).map(({ strict }) => strict.partial);
  const wrong = judgeRequests(
    {
      given,
      seen: recorder.requests,
      recorded: recorder.connections.map(({ bytes }) => bytes),
      partials: partials.filter(bytes => bytes !== ''),
      problems: recorder.problems(),
      answers: line.received,
    },
    allowances,
  );
  const handling = classifyRequests({ given, seen: recorder.requests });
  const passedOn = recorder.requests.length;
  const open = recorder.connections.filter(({ socket, strict }) => !socket.closed && strict.problem === undefined);
  recorder.connections.splice(0, recorder.connections.length, ...open);
  return {
    handling,
    passedOn,
    wrong: wrong ?? (over ? undefined : neverGivenUp) ?? (served ? undefined : neverServed),
  };
}
