import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, ask, cookieFrom } from './ask.js';
import type { Certificate, Peer } from './peer.js';
import { cores, freePorts, start } from './processes.js';
import { type Request, small } from './requests.js';

/** A running proxy that answers. */
export interface Standing {
  readonly name: string;
  readonly version: string;
  readonly origin: URL;
  readonly child: ChildProcess;
  /** The cookies of the browsers; empty if the proxy sets none. */
  readonly cookies: readonly string[];
}

export interface Ground {
  readonly folder: string;
  readonly backendPorts: readonly number[];
  readonly certificate: Certificate | undefined;
}

const browsers = 48;
const startMsMax = 15_000;

/** Starts a proxy. Rejects when it never answers 200. */
export async function stand(name: string, peer: Peer, ground: Ground): Promise<Standing> {
  const [port = 0] = await freePorts(1);
  const child = start(cores.proxy, await peer.command({ ...ground, port }));
  const origin = new URL(`${ground.certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`);
  await comesToAnswer(name, child, origin);
  const answers: Answer[] = [];
  for (let browser = 0; browser < browsers; browser += 1) answers.push(await ask(origin, small));
  const cookies = answers.map(cookieFrom).filter(cookie => cookie !== '');
  return { name, version: peer.version, origin, child, cookies };
}

/** Waits until it answers; it may need a health check first. */
export async function comesToAnswer(name: string, child: ChildProcess, origin: URL): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2_000);
  });
  const died = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${code} before it answered:\n${said}`);
  });
  died.catch(() => {});
  const giveUpMs = performance.now() + startMsMax;
  while (performance.now() < giveUpMs) {
    const answer = await Promise.race([ask(origin, small).catch(() => undefined), died]);
    if (answer?.status === 200) return;
    await sleep(50);
  }
  throw new Error(`${name} did not answer 200 within ${startMsMax / 1000} s:\n${said}`);
}

/** Checks this proxy's answers to some of its browsers. Returns the fault (undefined: none) and their length. */
export async function inspect({ origin, cookies }: Standing, request: Request) {
  const some = cookies.length === 0 ? [''] : cookies.slice(0, 8);
  const answers: Answer[] = [];
  for (const cookie of some) answers.push(await ask(origin, request, cookie));
  const wrong = answers.find(({ status, body }) => status !== 200 || body !== request.answer);
  const fault = wrong && `answered ${wrong.status} with ${wrong.body.length} bytes, not ${request.answer.length}`;
  return { fault, bytes: answers.at(-1)?.bytes ?? 0 };
}
