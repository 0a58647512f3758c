import { createHash, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { listenNear } from '../simulator/cluster/processes/free-port.js';
import type { Origins } from './http-messages.js';
import {
  JourneyRecording,
  listSigns,
  type Passes,
  type PassName,
  passNames,
  type StepSign,
  type Typed,
} from './recording.js';
import { relay, relayUpgrade } from './relay.js';

const host = '127.0.0.1';
const connectionsMax = 256;
const headerBytesMax = 64 * 1024;
/** Time for exchanges that are still open when a pass ends. Long polls and streams never end by themselves. */
const settleMs = 1_000;
const pollMs = 20;
/** Time for the answer to the last press of the button, before `close` cuts what is still open. */
const lingerMs = 200;

interface RecordingServerOptions {
  /** The address of the app. */
  readonly app: string;
  readonly typed: readonly [Typed, Typed];
  /** The first port to try. */
  readonly port: number;
  /** Called when a pass begins, when a step was seen for the first time, and when a pass cannot end yet. */
  readonly onChange: (state: ControlState) => void;
}

export interface RecordingServer {
  /** The address of the control page. */
  readonly address: string;
  readonly port: number;
  state(): ControlState;
  /** Ends the current pass, as the button of the page does. */
  finishPass(): Promise<ControlState>;
  restartPass(): ControlState;
  /** Resolves when all three passes are done. */
  readonly passes: Promise<Passes>;
  /** The number of exchanges that were not recorded, or without their bodies, because of the limits. */
  readonly unrecorded: number;
  close(): Promise<void>;
}

/** The state that the control page shows. The page says what to do in each pass, and shows what was seen. */
export interface ControlState {
  /** Undefined when all passes are done. */
  readonly pass: PassName | undefined;
  readonly number: number;
  /** The address of the app in this pass. */
  readonly address: string;
  readonly steps: readonly string[];
  /** The number of requests in this pass. */
  readonly requests: number;
  readonly signs: readonly StepSign[];
  /** Steps that the pass lacked when the person wanted to end it. */
  readonly missing: readonly string[];
}

/**
 * Serves the app and the control page on 127.0.0.1. The host name decides: `127.0.0.1` and `localhost` are the control
 * page, and each pass has a host name of its own below `localhost`, which browsers resolve to the loopback address. So
 * each pass begins without cookies and storage, and the page takes no path of the app. The name has a number that is
 * new in each recording: a browser keeps cookies of earlier ones.
 */
export async function startRecordingServer(options: RecordingServerOptions): Promise<RecordingServer> {
  const server = createServer({ maxHeaderSize: headerBytesMax, requestTimeout: 0 });
  server.maxConnections = connectionsMax;
  const port = await listenNear(server, host, options.port);
  const session = new RecordingSession(options, port);
  server.on('request', (request, response) => {
    session.answer(request, response).catch(error => refuse(response, 500, `the recording has a bug: ${error}`));
  });
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request, socket: Duplex, head) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    session.upgrade(request, socket, head);
  });
  return {
    address: `http://${host}:${port}/`,
    port,
    state: () => session.state(),
    finishPass: () => session.finishPass(),
    restartPass: () => session.restartPass(),
    passes: session.passes,
    get unrecorded() {
      return session.recording.unrecorded;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of upgraded) socket.destroy();
      const timer = setTimeout(() => server.closeAllConnections(), lingerMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

class RecordingSession {
  readonly recording: JourneyRecording;
  readonly passes: Promise<Passes>;
  readonly #options: RecordingServerOptions;
  readonly #port: number;
  #finish: (passes: Passes) => void = () => {};
  #finishing: Promise<ControlState> | undefined;
  #tag = newTag();
  #missing: readonly string[] = [];
  #told = '';

  constructor(options: RecordingServerOptions, port: number) {
    this.#options = options;
    this.#port = port;
    this.recording = new JourneyRecording(options.typed, performance.now());
    this.passes = new Promise(resolve => (this.#finish = resolve));
    this.#told = this.#summarize(this.state());
  }

  state(): ControlState {
    const { passName: pass, seen, typed } = this.recording;
    const number = pass === undefined ? passNames.length : passNames.indexOf(pass) + 1;
    const steps = pass === undefined ? [] : describeSteps(pass, typed.user, typed.item);
    const signs = pass === undefined ? [] : listSigns(pass, seen, typed);
    const address = `http://${this.#passHost()}/`;
    return { pass, number, address, steps, requests: seen.requests, signs, missing: this.#missing };
  }

  /** A second call while the first one waits joins it: a double click must not end two passes. */
  finishPass(): Promise<ControlState> {
    this.#finishing ??= this.#finishOnce().finally(() => (this.#finishing = undefined));
    return this.#finishing;
  }

  async #finishOnce(): Promise<ControlState> {
    const untilMs = performance.now() + settleMs;
    while (this.recording.openCount > 0 && performance.now() < untilMs) await delay(pollMs);
    const before = this.recording.passName;
    this.#missing = this.recording.finishPass(performance.now());
    if (this.recording.passName !== before) this.#tag = newTag();
    this.#tell();
    const passes = this.recording.passes();
    if (passes !== undefined) this.#finish(passes);
    return this.state();
  }

  /** The new pass gets a new host name, because the browser has cookies of the old one. */
  restartPass(): ControlState {
    this.recording.restartPass(performance.now());
    this.#tag = newTag();
    this.#missing = [];
    this.#tell();
    return this.state();
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const given = request.headers.host?.toLowerCase() ?? '';
    if (given === this.#passHost() && this.recording.passName !== undefined) {
      const slot = this.recording.begin(performance.now());
      const seen = slot && {
        ...slot,
        complete: (exchange: Parameters<typeof slot.complete>[0]) => {
          slot.complete(exchange);
          this.#tell();
        },
      };
      relay(request, response, this.#origins(), seen);
    } else if (this.#controlHosts().includes(given)) await this.#control(request, response, given);
    else if (given.endsWith(`.localhost:${this.#port}`)) this.#refuseOtherPass(response);
    else refuse(response, 421, `expected the host ${this.#controlHosts()[0]} or that of a pass`);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (request.headers.host?.toLowerCase() !== this.#passHost()) return void socket.destroy();
    relayUpgrade(request, socket, head, this.#origins());
  }

  async #control(request: IncomingMessage, response: ServerResponse, given: string): Promise<void> {
    const route = `${request.method} ${request.url}`;
    if (route === `GET ${controlPaths.page}`) return send(response, 200, 'text/html; charset=utf-8', controlPage);
    const { origin } = request.headers;
    if (request.method === 'POST' && origin !== undefined && origin !== `http://${given}`)
      return refuse(response, 403, 'the request comes from a page of another origin');
    if (route === `GET ${controlPaths.state}`) sendJson(response, this.state());
    else if (route === `POST ${controlPaths.done}`) sendJson(response, await this.finishPass());
    else if (route === `POST ${controlPaths.again}`) sendJson(response, this.restartPass());
    else refuse(response, 404, `there is no page "${request.url?.slice(0, 60)}" here`);
  }

  /** A page of an earlier pass asks: its requests belong to no pass. */
  #refuseOtherPass(response: ServerResponse): void {
    const { pass, address } = this.state();
    const next = pass === undefined ? 'The recording is over.' : `This pass is over. The app is now at ${address}`;
    refuse(response, 410, `${next}\nWhat to do next: http://${this.#controlHosts()[0]}/`);
  }

  /** Reports each change once. The number of requests alone is no change. */
  #tell(): void {
    const state = this.state();
    const told = this.#summarize(state);
    if (told === this.#told) return;
    this.#told = told;
    this.#options.onChange(state);
  }

  #summarize({ address, missing, signs }: ControlState): string {
    return JSON.stringify([address, signs, missing]);
  }

  #origins(): Origins {
    return { app: this.#options.app, browserHost: this.#passHost() };
  }

  #passHost(): string {
    const number = passNames.indexOf(this.recording.passName ?? 'anonymous') + 1;
    return `pass-${number}-${this.#tag}.localhost:${this.#port}`;
  }

  #controlHosts(): readonly string[] {
    return [`${host}:${this.#port}`, `localhost:${this.#port}`];
  }
}

function newTag(): string {
  return String(randomInt(100_000, 1_000_000));
}

function sendJson(response: ServerResponse, value: object): void {
  send(response, 200, 'application/json', JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, sentence: string): void {
  send(response, status, 'text/plain; charset=utf-8', `holdfast record: ${sentence}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) return void response.destroy();
  if (!response.req.complete) response.shouldKeepAlive = false;
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'content-security-policy': controlPolicy,
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

const controlPaths = { page: '/', state: '/state', done: '/done', again: '/again' } as const;

/** Returns the steps of a pass, in the words of the page and of the terminal. */
function describeSteps(name: PassName, user: string, item: string): string[] {
  if (name === 'anonymous') return ['do not log in', `open the page that showed ${item}, and wait until it is shown`];
  return [
    `log in as ${user}, with the same password in both passes`,
    `add ${item}: type this text where your app takes one`,
    `open the page that lists ${item} once more, or reload it`,
    'log out',
  ];
}

const controlStyle = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
a.app { font-weight: bold; }
button { font: inherit; padding: .4rem 1rem; margin-right: .5rem; }
#signs li::marker { content: "– "; }
#signs li.seen::marker { content: "✓ "; }
#signs li:not(.seen) { opacity: .6; }
#missing { border-left: 4px solid #c60; padding-left: 1rem; }
[hidden] { display: none; }
`;

const controlScript = `
const find = id => document.getElementById(id);
const fill = (id, lines, isSeen) => find(id).replaceChildren(...lines.map((line, i) => {
  const item = document.createElement('li');
  item.textContent = line;
  if (isSeen && isSeen[i]) item.className = 'seen';
  return item;
}));
let shown = '';
function show(state) {
  if (JSON.stringify(state) === shown) return;
  shown = JSON.stringify(state);
  find('pass').hidden = state.pass === undefined;
  find('over').hidden = state.pass !== undefined;
  if (state.pass === undefined) return;
  find('number').textContent = state.number;
  find('app').href = find('app').textContent = state.address;
  fill('steps', state.steps);
  find('requests').textContent = state.requests;
  fill('signs', state.signs.map(sign => sign.text), state.signs.map(sign => sign.isSeen));
  find('missing').hidden = state.missing.length === 0;
  fill('lacks', state.missing);
}
async function ask(path, method) {
  try {
    show(await (await fetch(path, { method })).json());
    return true;
  } catch {
    find('pass').hidden = true;
    find('over').hidden = false;
    return false;
  }
}
find('done').onclick = () => ask('/done', 'POST');
find('again').onclick = () => ask('/again', 'POST');
(async () => { while (await ask('/state', 'GET')) await new Promise(next => setTimeout(next, 500)); })();
`;

const controlPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast record</title>
<link rel="icon" href="data:,">
<style>${controlStyle}</style>
</head>
<body>
<main>
<h1>Record a journey</h1>
<div id="pass" aria-live="polite">
<p>Pass <span id="number"></span> of 3. Open the app in another tab:
<a id="app" class="app" target="_blank" rel="noopener noreferrer"></a></p>
<ol id="steps"></ol>
<p>Recorded in this pass: <span id="requests"></span> requests. The steps that were seen:</p>
<ul id="signs"></ul>
<div id="missing" hidden><p>Not seen in this pass. Do it now, or press the button again to go on without it:</p><ul id="lacks"></ul></div>
<p><button id="done">This pass is done</button><button id="again">Start this pass again</button></p>
</div>
<p id="over" hidden>The recording is over. Go on in the terminal. You can close this page.</p>
</main>
<script>${controlScript}</script>
</body>
</html>
`;

const controlPolicy = [
  "default-src 'none'",
  "connect-src 'self'",
  `script-src ${digest(controlScript)}`,
  `style-src ${digest(controlStyle)}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function digest(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
