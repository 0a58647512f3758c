import type { RequestListener } from 'node:http';
import { type AppListener, type Sessions, type SessionsOptions, sessions } from '#src/sessions/index.js';
import { withHttpServer } from '../../with-http-server.js';

export interface AppAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The session cookie that was set, as `name=value`. */
  readonly cookie: string;
}

/** Sends a request, with the cookie of an earlier answer. */
export type AskApp = (path: string, cookie?: string, headers?: Record<string, string>) => Promise<AppAnswer>;

export interface RunningApp {
  readonly ask: AskApp;
  readonly app: Sessions;
}

/** Serves handlers by path with sessions in memory, over real HTTP. */
export async function withApp<T>(
  handlers: Record<string, AppListener>,
  work: (running: RunningApp) => Promise<T>,
  options: Partial<SessionsOptions> = {},
): Promise<T> {
  const app = await sessions({ store: 'memory', onError: () => undefined, ...options });
  const listener = app.listener((request, response, session) =>
    (handlers[request.url ?? ''] ?? showSession)(request, response, session),
  );
  try {
    return await withListener(listener, ask => work({ ask, app }));
  } finally {
    await app.close();
  }
}

/** Serves a listener over real HTTP. */
export function withListener<T>(listener: RequestListener, work: (ask: AskApp) => Promise<T>): Promise<T> {
  return withHttpServer(listener, origin => work((path, cookie, headers) => ask(`${origin}${path}`, cookie, headers)));
}

const showSession: AppListener = (_request, response, { user, data }) => {
  response.end(JSON.stringify({ user: user ?? null, data }));
};

export async function ask(url: string, cookie = '', headers: Record<string, string> = {}): Promise<AppAnswer> {
  const response = await fetch(url, { headers: { ...headers, cookie }, redirect: 'manual' });
  const text = await response.text();
  // The cookies of the app come first.
  const line = response.headers.getSetCookie().at(-1) ?? '';
  return { status: response.status, headers: response.headers, text, cookie: /^[^;=]+=[^;]+/.exec(line)?.[0] ?? '' };
}
