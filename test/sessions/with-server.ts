import type { Handler } from '#src/sessions/request-session.js';
import type { Sessions } from '#src/sessions/sessions.js';
import { withHttpServer } from '../with-http-server.js';

/** The response, with the session cookie as a browser sees it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly setCookies: readonly string[];
  /** The session cookie that was set, as `name=value`, ready to be sent back. */
  readonly cookie: string | undefined;
}

export type Ask = (path: string, headers?: Record<string, string>, method?: string) => Promise<Answer>;

/** Serves `handlers` by path over real HTTP. An unknown path shows the session. */
export function withServer<T>(
  sessions: Sessions,
  handlers: Record<string, Handler>,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  return withHttpServer(
    (request, response) => void sessions.respond(request, response, handlers[request.url ?? ''] ?? show),
    origin => work((path, headers = {}, method = 'GET') => ask(`${origin}${path}`, headers, method)),
  );
}

/** Logs anna in with an empty cart. */
export const logInAnna: Handler = async context => {
  await context.begin('anna', { cart: [] });
  return { status: 200 };
};

export const buyTea: Handler = async context => {
  await context.change(data => void Object.assign(data, { cart: ['tea'] }));
  return { status: 201 };
};

const show: Handler = async ({ session, why }) => ({
  status: session === undefined ? 401 : 200,
  body: JSON.stringify(session === undefined ? { why } : { user: session.record.user, data: session.record.data }),
});

async function ask(url: string, headers: Record<string, string>, method: string): Promise<Answer> {
  const response = await fetch(url, { method, headers });
  const text = await response.text();
  const setCookies = response.headers.getSetCookie();
  const pair = setCookies.map(line => line.split(';')[0] ?? '').find(each => /^(__Host-)?session=./.test(each));
  return { status: response.status, headers: response.headers, text, setCookies, cookie: pair };
}
