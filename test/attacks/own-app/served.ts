import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { withHttpServer } from '../../with-http-server.js';

export interface AppCall {
  /** `POST /cart`. */
  readonly route: string;
  readonly url: URL;
  readonly body: string;
  /** The cookies of this name, in the order in which they were sent. */
  readonly cookies: (name: string) => readonly string[];
  readonly headers: IncomingHttpHeaders;
}

export interface AppSaid {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: unknown;
}

type Answer = (call: AppCall) => AppSaid | Promise<AppSaid>;

/** Serves an app on this port of the loopback address. Resolves when it listens. */
export async function listen(answer: Answer, port: number): Promise<Server> {
  const server = createServer(toListener(answer));
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  return server;
}

/** Serves an app in this process during `body`, because a process for each defect costs more. */
export function withServedApp<T>(answer: Answer, body: (origin: string) => Promise<T>): Promise<T> {
  return withHttpServer(toListener(answer), body);
}

function toListener(answer: Answer): RequestListener {
  return async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const url = new URL(request.url ?? '/', 'http://app');
    const pairs = (request.headers.cookie ?? '').split('; ').map(pair => pair.split('='));
    const cookies = (name: string) => pairs.flatMap(([key, value = '']) => (key === name ? [value] : []));
    const route = `${request.method} ${url.pathname}`;
    const said = await answer({ route, url, body: text, cookies, headers: request.headers });
    response.writeHead(said.status ?? 200, { 'content-type': 'application/json', ...said.headers });
    response.end(said.body === undefined ? '' : JSON.stringify(said.body));
  };
}
