import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Handler } from '#src/sessions/session-context.js';
import type { Sessions } from '#src/sessions/sessions.js';

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
export async function withServer<T>(
  sessions: Sessions,
  handlers: Record<string, Handler>,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  const server = createServer((request, response) => {
    void sessions.respond(request, response, handlers[request.url ?? ''] ?? show);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  try {
    return await work((path, headers = {}, method = 'GET') => ask(`http://127.0.0.1:${port}${path}`, headers, method));
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}

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
