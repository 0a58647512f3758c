/**
 * Holds many connections to a proxy, each answered once.
 *
 *   idle-clients.js origin count cookie[,cookie...]
 *
 * Sends `{ open, bad }` when all are open. For every message it then sends how many the proxy has closed since.
 */
import type { Socket } from 'node:net';
import { exchange, open, textOf } from './ask.js';
import { small } from './requests.js';

const [origin = '', count = '', cookies = ''] = process.argv.slice(2);
const [to, all] = [new URL(origin), cookies.split(',')];
const atOnce = 64;
const sockets: Socket[] = [];
let [begun, bad, closed] = [0, 0, 0];

async function client(): Promise<void> {
  while (begun < Number(count)) {
    const cookie = all[begun % all.length] ?? '';
    begun += 1;
    await hold(cookie).catch(() => {
      bad += 1;
    });
  }
}

async function hold(cookie: string): Promise<void> {
  const socket = await open(to);
  const { status, body } = await exchange(socket, textOf(to, small, cookie));
  if (status !== 200 || body !== small.answer) throw new Error(`answered ${status}`);
  sockets.push(socket);
  socket.on('error', () => {});
  socket.on('close', () => {
    closed += 1;
  });
}

await Promise.all(Array.from({ length: atOnce }, client));
process.send?.({ open: sockets.length, bad });
process.on('message', () => process.send?.({ closed }));
process.on('disconnect', () => process.exit());
