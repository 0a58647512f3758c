import { createServer, type IncomingMessage } from 'node:http';

export interface Asked {
  /** `POST /cart`. */
  readonly route: string;
  readonly url: URL;
  readonly body: string;
  readonly cookie: (name: string) => string;
  readonly headers: IncomingMessage['headers'];
}

export interface Said {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is a page, anything else JSON. */
  readonly body: unknown;
}

/** Serves on the port that the lab gives, and answers 200 at /health. */
export function serve(answer: (asked: Asked) => Said): void {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const url = new URL(request.url ?? '/', 'http://app');
    const cookies = new Map(
      (request.headers.cookie ?? '').split('; ').map(pair => [pair.split('=')[0], pair.split('=')[1]]),
    );
    const cookie = (name: string) => cookies.get(name) ?? '';
    const route = `${request.method} ${url.pathname}`;
    const said =
      route === 'GET /health' ? { body: 'ok' } : answer({ route, url, body, cookie, headers: request.headers });
    const isPage = typeof said.body === 'string';
    response.writeHead(said.status ?? 200, {
      'content-type': isPage ? 'text/html' : 'application/json',
      ...said.headers,
    });
    response.end(isPage ? said.body : JSON.stringify(said.body));
  });
  server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log(JSON.stringify(server.address())));
  process.once('SIGTERM', () => server.close(() => process.exit(0)));
}

/** A field of a JSON body, as text. */
export function fieldOf(json: string, ...names: readonly string[]): string {
  const found = names.reduce<unknown>((value, name) => Reflect.get(Object(value), name), JSON.parse(json));
  return typeof found === 'string' ? found : '';
}
