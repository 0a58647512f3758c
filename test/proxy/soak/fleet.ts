import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const program = path.join(import.meta.dirname, 'soak-backend.js');

/** A backend that can be killed and restarted on its port. */
export class SoakBackend {
  readonly name: string;
  readonly #onRan: (token: string, incarnation: string) => void;
  #child: ChildProcess | undefined;
  #port = 0;

  constructor(name: string, onRan: (token: string, incarnation: string) => void) {
    this.name = name;
    this.#onRan = onRan;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get incarnation(): string {
    return `${this.name}-${this.#child?.pid}`;
  }

  /** Resolves when it listens. A restart uses the first port again. */
  async start(): Promise<void> {
    const child = fork(program, [this.name, String(this.#port)], { execArgv: [] });
    this.#child = child;
    const incarnation = `${this.name}-${child.pid}`;
    this.#port = await new Promise((resolve, reject) => {
      child.on('message', message => {
        if (typeof message !== 'object' || message === null) return;
        if ('port' in message) resolve(Number(message.port));
        if ('ran' in message) this.#onRan(String(message.ran), incarnation);
      });
      child.once('exit', code => reject(new Error(`${incarnation} ended with ${code} before it listened`)));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Sends SIGKILL. Resolves when it is gone and all its messages have arrived. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
    child.kill('SIGKILL');
    await gone;
  }
}

/** Runs backends `backend-1` to `backend-<count>` while `use` runs. `onRan`: a POST was carried out. */
export async function withFleet<T>(
  count: number,
  onRan: (token: string, incarnation: string) => void,
  use: (fleet: readonly SoakBackend[]) => Promise<T>,
): Promise<T> {
  const fleet = Array.from({ length: count }, (_, at) => new SoakBackend(`backend-${at + 1}`, onRan));
  try {
    await Promise.all(fleet.map(backend => backend.start()));
    return await use(fleet);
  } finally {
    await Promise.all(fleet.map(backend => backend.kill()));
  }
}
