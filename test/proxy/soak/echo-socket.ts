import { WebSocket } from 'ws';
import type { AnswerFacts, End } from './judge.js';
import { cookieOf, factsOf, headersOf, patienceMs, type Result } from './shoot.js';
import type { Wish } from './wishes.js';

const everyMs = 250;

/** Opens a WebSocket, sends numbered messages for the time of the wish, and leaves when all came back. */
export function echo(url: string, wish: Wish, cookie: string | undefined): Promise<Result> {
  const socket = new WebSocket(url.replace('http', 'ws'), { headers: headersOf(wish, cookie) });
  return new Promise(resolve => {
    let answer: AnswerFacts | undefined;
    let issued: string | undefined;
    let [sent, back, right] = [0, 0, true];
    const end = (how: End): void => {
      clearInterval(ticks);
      clearTimeout(timer);
      socket.terminate();
      resolve({ end: how, answer, bodyRight: right && (back > 0 || how === 'cut'), cookie: issued });
    };
    const timer = setTimeout(() => end('late'), wish.staysMs + 2 * patienceMs);
    let leavesMs = 0;
    const tick = (): void => {
      if (performance.now() < leavesMs) socket.send(`${wish.token} ${sent++}`);
      else leave();
    };
    /** Leaves when the last message is back. */
    const leave = (): void => {
      clearInterval(ticks);
      if (back === sent) end('answered');
    };
    let ticks: NodeJS.Timeout | undefined;
    socket.on('upgrade', head => {
      answer = factsOf(head);
      issued = cookieOf(head);
    });
    socket.on('unexpected-response', (_, head) => {
      answer = factsOf(head);
      end('answered');
    });
    socket.on('open', () => {
      leavesMs = performance.now() + wish.staysMs;
      tick();
      ticks = setInterval(tick, everyMs);
    });
    socket.on('message', data => {
      right &&= String(data) === `${wish.token} ${back}`;
      back += 1;
      if (performance.now() >= leavesMs) leave();
    });
    socket.on('error', () => {});
    socket.on('close', () => end(answer === undefined ? 'unanswered' : 'cut'));
  });
}
