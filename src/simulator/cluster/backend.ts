import path from 'node:path';
import { answersOk } from './ask.js';
import type { ProcessSpec } from './process-member.js';

const shop = path.resolve(import.meta.dirname, '../../backends/shop.js');

export interface BackendOptions {
  readonly name: string;
  readonly port: number;
  readonly mode: string;
  readonly redisUrl: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** A Node program that obeys the same environment; the toy shop when absent. */
  readonly program?: string;
}

export function backendSpec({ name, port, mode, redisUrl, env, program = shop }: BackendOptions): ProcessSpec {
  return {
    name,
    role: 'backend',
    port,
    command: process.execPath,
    args: [program],
    env: {
      ...env,
      HOST: '127.0.0.1',
      PORT: String(port),
      BACKEND_ID: name,
      HOLDFAST_MODE: mode,
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    },
    answers: withinMs => answersOk(`http://127.0.0.1:${port}/health`, withinMs),
    remedy: `PORT=${port} HOLDFAST_MODE=${mode} node ${program}   (by hand, to see what it says)`,
  };
}
