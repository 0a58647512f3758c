import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  request,
  type ServerResponse,
} from 'node:http';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { bodyCharactersMax, type RecordedExchange } from '#src/record/recording.js';
import { type ControlState, type RecordingServer, startRecordingServer } from '#src/record/recording-server.js';
import { withHttpServer } from '../with-http-server.js';

const typed = [
  { user: 'hf-user-1', item: 'hf-item-1' },
  { user: 'hf-user-2', item: 'hf-item-2' },
] as const;

interface Got {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly host?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The recording in front of an app, and how its tests talk to it. */
class Recorded {
  readonly server: RecordingServer;
  readonly app: string;
  readonly states: ControlState[];

  constructor(server: RecordingServer, app: string, states: ControlState[]) {
    [this.server, this.app, this.states] = [server, app, states];
  }

  get host(): string {
    return new URL(this.server.state().address).host;
  }

  /** Begins a request as a browser in the current pass. */
  async begin(
    path: string,
    { host = this.host, method = 'GET', headers = {}, body }: Asked = {},
  ): Promise<IncomingMessage> {
    const sent = request({ host: '127.0.0.1', port: this.server.port, path, method, headers: { host, ...headers } });
    sent.end(body);
    const [answer]: IncomingMessage[] = await once(sent, 'response');
    return answer ?? expect.fail('no answer');
  }

  async ask(path: string, asked?: Asked): Promise<Got> {
    const answer = await this.begin(path, asked);
    let body = '';
    for await (const chunk of answer) body += chunk;
    return { status: answer.statusCode, headers: answer.headers, body };
  }

  /** Ends all passes, and returns what the first one recorded. */
  async recorded(): Promise<readonly RecordedExchange[]> {
    await this.server.finishPass();
    await this.server.finishPass();
    while (this.server.state().pass !== undefined) {
      await this.ask('/');
      await this.server.finishPass();
      await this.server.finishPass();
    }
    return (await this.server.passes).first.exchanges;
  }
}

async function withRecording(app: RequestListener, use: (recorded: Recorded) => Promise<void>): Promise<void> {
  await withHttpServer(app, async origin => {
    const states: ControlState[] = [];
    const server = await startRecordingServer({ app: origin, typed, port: 0, onChange: state => states.push(state) });
    try {
      await use(new Recorded(server, origin, states));
    } finally {
      await server.close();
    }
  });
}

describe('the recording proxy', () => {
  it('records a request with what the app got and what it answered', () =>
    withRecording(
      (asked, answer) => {
        answer.setHeader('set-cookie', ['sid=1; Domain=127.0.0.1; Path=/', 'b=2']);
        answer.writeHead(201, { 'content-type': 'application/json' });
        answer.end(JSON.stringify({ host: asked.headers.host, origin: asked.headers.origin }));
      },
      async recorded => {
        const headers = { origin: `http://${recorded.host}`, 'content-type': 'application/json', cookie: 'a=1' };
        const got = await recorded.ask('/cart?x=1', { method: 'POST', headers, body: '{"sku":"hf-item-1"}' });
        const { host } = new URL(recorded.app);
        expect(got).to.include({ status: 201, body: JSON.stringify({ host, origin: `http://${recorded.host}` }) });
        expect(got.headers['set-cookie']).to.deep.equal(['sid=1; Path=/', 'b=2']);
        expect(got.headers['cache-control']).to.equal('no-store');
        const [exchange] = await recorded.recorded();
        expect(exchange).to.include({ method: 'POST', path: '/cart?x=1', status: 201 });
        expect(exchange?.requestBody).to.equal('{"sku":"hf-item-1"}');
        expect(exchange?.responseBody).to.equal(JSON.stringify({ host, origin: recorded.app }));
        expect(exchange?.requestHeaders).to.deep.include(['cookie', 'a=1']).and.deep.include(['origin', recorded.app]);
        expect(exchange?.responseHeaders).to.deep.include(['set-cookie', 'sid=1; Domain=127.0.0.1; Path=/']);
      },
    ));

  it('replaces the address of the app in a compressed page, and records the page as the app sent it', () =>
    withRecording(
      (asked, answer) => {
        const page = gzipSync(`<a href="http://${asked.headers.host}/next">`);
        answer.writeHead(200, {
          'content-type': 'text/html',
          'content-encoding': 'gzip',
          'content-length': page.length,
        });
        answer.end(page);
      },
      async recorded => {
        const got = await recorded.ask('/', { headers: { 'accept-encoding': 'gzip' } });
        expect(got.body).to.equal(`<a href="http://${recorded.host}/next">`);
        expect(got.headers['content-encoding']).to.equal(undefined);
        const [exchange] = await recorded.recorded();
        expect(exchange?.responseBody).to.equal(`<a href="${recorded.app}/next">`);
      },
    ));

  it('passes a body beyond the limit on whole, and records it as empty', () =>
    withRecording(
      (_asked, answer) =>
        answer.writeHead(200, { 'content-type': 'text/plain' }).end('x'.repeat(5 * bodyCharactersMax)),
      async recorded => {
        expect((await recorded.ask('/')).body.length).to.equal(5 * bodyCharactersMax);
        const [exchange] = await recorded.recorded();
        expect(exchange).to.include({ status: 200, responseBody: '' });
      },
    ));

  it('passes events on at once, and does not record the stream', () =>
    withRecording(
      (asked, answer) => {
        if (asked.url !== '/events') return void answer.end();
        answer.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: hf-item-1\n\n');
      },
      async recorded => {
        const answer = await recorded.begin('/events');
        const [chunk] = await once(answer, 'data');
        expect(String(chunk)).to.equal('data: hf-item-1\n\n');
        answer.destroy();
        await recorded.ask('/');
        expect((await recorded.recorded()).map(({ path }) => path)).to.deep.equal(['/']);
      },
    ));

  it('passes the beginning of a slow page on before it is whole', () =>
    withRecording(
      (asked, answer) => {
        if (asked.url === '/') return void answer.end();
        answer.writeHead(200, { 'content-type': 'text/html' }).write('beginning');
      },
      async recorded => {
        const answer = await recorded.begin('/slow');
        expect(String((await once(answer, 'data'))[0])).to.equal('beginning');
        answer.destroy();
      },
    ));

  it('passes WebSockets on', async () => {
    const app = await startEcho();
    const server = await startRecordingServer({ app: app.origin, typed, port: 0, onChange: () => undefined });
    try {
      const { host } = new URL(server.state().address);
      const headers = { host, origin: `http://${host}` };
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/live`, { headers });
      await once(socket, 'open');
      socket.send('hello');
      expect(String((await once(socket, 'message'))[0])).to.equal(`hello from ${app.origin}`);
      socket.terminate();
    } finally {
      await server.close();
      await app.close();
    }
  });

  it('answers 502 when the app is gone, and records nothing', () =>
    withRecording(
      (asked, answer) => (asked.url === '/gone' ? void asked.socket.destroy() : void answer.end()),
      async recorded => {
        expect((await recorded.ask('/gone')).status).to.equal(502);
        await recorded.ask('/');
        expect((await recorded.recorded()).map(({ path }) => path)).to.deep.equal(['/']);
      },
    ));
});

/** Starts an app that sends each message back, with the origin of the page that sent it. */
async function startEcho() {
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer().listen(0, '127.0.0.1');
  server.on('upgrade', (asked, socket, head) =>
    sockets.handleUpgrade(asked, socket, head, open =>
      open.on('message', data => open.send(`${data} from ${asked.headers.origin}`)),
    ),
  );
  await once(server, 'listening');
  const address = server.address();
  return {
    origin: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    async close() {
      for (const open of sockets.clients) open.terminate();
      server.close();
      await once(server, 'close');
    },
  };
}

const shop: RequestListener = (asked, answer) => {
  answer.writeHead(200, { 'content-type': 'text/html' });
  answer.end(asked.url === '/cart' ? 'hf-item-1 hf-item-2' : 'ok');
};

async function click(recorded: Recorded, number: 1 | 2): Promise<void> {
  await recorded.ask('/login', { method: 'POST', headers: form, body: `user=hf-user-${number}` });
  await recorded.ask('/add', { method: 'POST', headers: form, body: `sku=hf-item-${number}` });
  await recorded.ask('/cart');
}
let arrive: (answer: ServerResponse) => void = () => undefined;
const form = { 'content-type': 'application/x-www-form-urlencoded' };

describe('the passes of a recording', () => {
  it('each have a host name of their own, and reach the app by no other', () =>
    withRecording(shop, async recorded => {
      const first = recorded.host;
      expect(first).to.match(/^pass-1-\d{6}\.localhost:\d+$/);
      await click(recorded, 1);
      await recorded.server.finishPass();
      expect(recorded.host).to.match(/^pass-2-\d{6}\.localhost:\d+$/);
      const late = await recorded.ask('/cart', { host: first });
      expect(late.status).to.equal(410);
      expect(late.body).to.include(`http://${recorded.host}/`);
      expect((await recorded.ask('/cart', { host: 'shop.example' })).status).to.equal(421);
      await click(recorded, 2);
      await recorded.server.finishPass();
      await recorded.ask('/cart');
      await recorded.server.finishPass();
      const passes = await recorded.server.passes;
      const paths = (exchanges: readonly RecordedExchange[]) => exchanges.map(({ path }) => path);
      expect(paths(passes.first.exchanges)).to.deep.equal(['/login', '/add', '/cart']);
      expect(paths(passes.second.exchanges)).to.deep.equal(['/login', '/add', '/cart']);
      expect(paths(passes.anonymous)).to.deep.equal(['/cart']);
    }));

  it('report each step once', () =>
    withRecording(shop, async recorded => {
      await click(recorded, 1);
      await recorded.ask('/cart');
      const seen = recorded.states.map(({ signs }) => signs.filter(({ isSeen }) => isSeen).length);
      expect(seen).to.deep.equal([1, 2, 3]);
    }));

  it('wait for answers that are under way when they end', () => {
    const arrived = new Promise<ServerResponse>(resolve => (arrive = resolve));
    return withRecording(
      (asked, answer) => (asked.url === '/logout' ? arrive(answer) : shop(asked, answer)),
      async recorded => {
        await click(recorded, 1);
        const logout = recorded.ask('/logout');
        const answer = await arrived;
        const ended = recorded.server.finishPass();
        answer.end('bye');
        await Promise.all([logout, ended]);
        expect((await recorded.recorded()).map(({ path }) => path)).to.include('/logout');
      },
    );
  });

  it('end once for two presses at the same time', () =>
    withRecording(shop, async recorded => {
      await click(recorded, 1);
      await Promise.all([recorded.server.finishPass(), recorded.server.finishPass()]);
      expect(recorded.server.state().pass).to.equal('second');
    }));

  it('begin again under another host name', () =>
    withRecording(shop, async recorded => {
      const { host } = recorded;
      await click(recorded, 1);
      recorded.server.restartPass();
      expect(recorded.host).not.to.equal(host);
      expect(recorded.server.state()).to.deep.include({ pass: 'first', missing: [] });
      expect(recorded.server.state().requests).to.equal(0);
    }));
});

describe('the control page', () => {
  it('is served under the plain address, and ends a pass', () =>
    withRecording(shop, async recorded => {
      const host = new URL(recorded.server.address).host;
      expect((await recorded.ask('/', { host })).body).to.include('<title>Holdfast record</title>');
      await click(recorded, 1);
      const state = JSON.parse(
        (await recorded.ask('/done', { host, method: 'POST', headers: { origin: `http://${host}` } })).body,
      );
      expect(state).to.deep.include({ pass: 'second', number: 2, missing: [] });
      expect((await recorded.ask('/cart', { host })).status).to.equal(404);
    }));

  it('gets the answer to the press that ends the last pass, although the recording closes then', () =>
    withRecording(shop, async recorded => {
      const host = new URL(recorded.server.address).host;
      const press = () => recorded.ask('/done', { host, method: 'POST' });
      for (const number of [1, 2] as const) {
        await click(recorded, number);
        await press();
      }
      await recorded.ask('/cart');
      const closed = recorded.server.passes.then(() => recorded.server.close());
      expect(JSON.parse((await press()).body)).not.to.have.property('pass');
      await closed;
    }));

  it('does not obey a page of another origin', () =>
    withRecording(shop, async recorded => {
      const host = new URL(recorded.server.address).host;
      await click(recorded, 1);
      for (const origin of ['http://evil.example', `http://${recorded.host}`]) {
        const got = await recorded.ask('/done', { host, method: 'POST', headers: { origin } });
        expect(got.status).to.equal(403);
      }
      expect(recorded.server.state().pass).to.equal('first');
    }));
});
