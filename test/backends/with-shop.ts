import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const bootTimeoutMs = 10_000;
const program = path.resolve(import.meta.dirname, '../../backends/shop.js');

export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A real process of the toy shop. */
export interface ShopProcess {
  readonly url: string;
  readonly port: number;
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** The exit of the process; resolves when it has ended. */
  readonly ended: Promise<Ending>;
  /** Returns the output so far, of both streams. */
  output(): string;
}

export type Settings = Readonly<Record<string, string>>;

export async function withShop<T>(settings: Settings, work: (shop: ShopProcess) => Promise<T>): Promise<T> {
  const shop = await startShop(settings);
  try {
    return await work(shop);
  } finally {
    shop.signal('SIGKILL');
    await shop.ended;
  }
}

/** Starts a shop. Call it in `before`; kill it and wait for `ended` in `after`. */
export async function startShop(settings: Settings): Promise<ShopProcess> {
  const { child, output, ended } = launch(settings);
  const url = await Promise.race([announced(child, output), ended.then(() => undefined)]);
  if (url === undefined) {
    child.kill('SIGKILL');
    await ended;
    throw new Error(`the shop did not come up:\n${output()}`);
  }
  return { url, port: Number(new URL(url).port), signal: name => void child.kill(name), ended, output };
}

/** Runs a shop that is expected to exit by itself. */
export async function runShop(settings: Settings): Promise<Ending & { readonly output: string }> {
  const { child, output, ended } = launch(settings);
  const late = setTimeout(() => child.kill('SIGKILL'), bootTimeoutMs);
  const ending = await ended;
  clearTimeout(late);
  return { ...ending, output: output() };
}

function launch(settings: Settings) {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env.PATH ?? '', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (text += String(chunk)));
  const killOnExit = () => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  const ended = once(child, 'close').then(([code, signal]): Ending => {
    process.off('exit', killOnExit);
    return { code, signal };
  });
  return { child, output: () => text, ended };
}

/** Returns the address that the shop prints when it listens. Undefined if it does not print one. */
function announced({ stdout }: ChildProcess, output: () => string): Promise<string | undefined> {
  return new Promise(resolve => {
    const late = setTimeout(() => resolve(undefined), bootTimeoutMs);
    stdout?.on('data', () => {
      const url = /listening on (http:\S+)\n/.exec(output())?.[1];
      if (url === undefined) return;
      clearTimeout(late);
      resolve(url);
    });
  });
}
