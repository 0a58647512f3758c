import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LabRecord, Operation, OperationKind } from '#src/simulator/history/records.js';
import type { PlannedStep } from '#src/simulator/plan/planned-user.js';
import { RunClock } from '#src/simulator/run/run-clock.js';
import { Driver, type DriverOptions } from '#src/simulator/users/driver.js';
import { type Journey, shopJourney } from '#src/simulator/users/journey.js';
import { withHttpServer } from '../../with-http-server.js';

export type Handler = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

/** Runs a real HTTP server on a free port, and closes it with all its connections afterwards. `nth` counts its requests
 * from 1. */
export function withServer<T>(handler: Handler, use: (origin: string) => Promise<T>): Promise<T> {
  let requests = 0;
  return withHttpServer((request, response) => {
    requests += 1;
    handler(request, response, requests);
  }, use);
}

export interface Driven {
  readonly operations: readonly Operation[];
  readonly lab: LabRecord;
}

interface DriveOptions
  extends Partial<Pick<DriverOptions, 'nonce' | 'timeoutMs' | 'revocationLagMs' | 'replayEveryMs'>> {
  readonly readBack?: boolean;
  readonly journey?: Journey;
}

/** Drives one user per list of steps against one or several origins of a host, and returns every record. */
export async function drive(
  origin: string | readonly string[],
  users: readonly (readonly PlannedStep[])[],
  { timeoutMs = 2_000, readBack = false, revocationLagMs = 0, journey = shopJourney, ...more }: DriveOptions = {},
): Promise<Driven> {
  const operations: Operation[] = [];
  const plan = {
    scenario: 'test',
    seed: 1,
    faults: [],
    users: users.map((steps, n) => ({ name: `u${n + 1}`, steps })),
  };
  const onOperation = (operation: Operation): number => operations.push(operation);
  const clock = new RunClock();
  const driver = new Driver({
    plan,
    proxies: [origin].flat().map((url, index) => ({ name: `proxy-${index + 1}`, url })),
    timeoutMs,
    revocationLagMs,
    journey,
    clock,
    onOperation,
    ...more,
  });
  try {
    await driver.run();
    if (readBack) await driver.readBack();
    return { operations, lab: driver.lab() };
  } finally {
    await driver.close();
  }
}

/** Returns steps one millisecond apart. Adds and removes get a token. */
export function steps(...kinds: PlannedStep['kind'][]): PlannedStep[] {
  return kinds.map((kind, atMs) =>
    kind === 'add' || kind === 'remove' ? { atMs, kind, token: 't1' } : { atMs, kind },
  );
}

export function json(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string | string[]> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Answers as the shop does to a logged-in user. */
export function shopAnswer(request: IncomingMessage, response: ServerResponse, user = 'u1'): void {
  const status = request.method === 'POST' && request.url === '/cart' ? 201 : 200;
  if (request.url === '/logout') json(response, 200, { user: null });
  else json(response, status, { user, items: [] }, request.url === '/login' ? { 'set-cookie': 'sid=1; Path=/' } : {});
}

/** Returns the kind of step of a request, for scripts. */
export function kindOf({ method, url = '' }: IncomingMessage): OperationKind {
  if (url === '/login') return 'login';
  if (url === '/logout') return 'logout';
  if (url === '/me') return 'whoami';
  if (method === 'GET') return 'read';
  return method === 'POST' ? 'add' : 'remove';
}
