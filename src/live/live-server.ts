import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import * as z from 'zod';
import { messageOf } from '../shared/text.js';
import { unknownName } from '../shared/unknown-name.js';
import { listenNear } from '../simulator/cluster/processes/free-port.js';
import { map, oneOf, sayExpected, text, wholeNumber } from '../simulator/scenario/values.js';
import type { LiveSession } from './live-session.js';
import { streamsMax } from './live-stream.js';
import {
  type Command,
  type CommandReply,
  type ExportName,
  exportNames,
  paths,
  type SideName,
  sideNames,
  tokenHeader,
} from './protocol.js';

const host = '127.0.0.1';
export const bodyBytesMax = 64 * 1024;
/** A longer body is read up to here and dropped. A browser may lose an answer that arrives while it still sends. */
const discardedBytesMax = 1024 * 1024;
/** Maximum number of connections. A page has a stream and up to three other requests at once. */
const connectionsMax = 4 * streamsMax;
/** Time after which `close` cuts the connections that are still open, so that a last message can be sent first. */
const lingerMs = 200;
/** Time limits of a request. They are short, because the client runs on the same machine. Node applies them only when
 * it checks the connections. */
const limits = { headersTimeout: 2_000, requestTimeout: 5_000, connectionsCheckingInterval: 500 } as const;

interface LiveServerOptions {
  readonly session: LiveSession;
  readonly page: { readonly html: string; readonly contentSecurityPolicy: string };
  /** The first port to try. If it is taken, the server listens on the next free one. 0: any free one. */
  readonly port: number;
  /** Returns the contents of a file, in parts. Undefined when the session has no such file. */
  exportFile(name: ExportName): Iterable<string> | undefined;
}

export interface LiveServer {
  readonly port: number;
  /** The origin of the page, without the token. */
  readonly origin: string;
  /** The address of the page, with the token in the fragment. A browser never sends the fragment. */
  readonly address: string;
  /** Closes every connection. An open stream can send its last message first, within 200 ms. Call it once. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  /** A text, or its parts. */
  readonly body: string | Iterable<string>;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Serves the page, its stream and its commands on 127.0.0.1. A page of another origin cannot use it: a request needs the
 * right `Host`, no foreign `Origin`, and the token, which is only in the address that the command prints.
 */
export async function startLiveServer(options: LiveServerOptions): Promise<LiveServer> {
  const token = randomBytes(32).toString('base64url');
  const server = createServer(limits);
  server.maxConnections = connectionsMax;
  const port = await listenNear(server, host, options.port);
  const answer = createAnswerer(options, port, token);
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response).catch(error => send(response, makeRefusal(500, `the live lab has a bug: ${error}`)));
  });
  const origin = `http://${host}:${port}`;
  return { port, origin, address: `${origin}${paths.page}#${token}`, close: () => closeServer(server) };
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const timer = setTimeout(() => server.closeAllConnections(), lingerMs);
  await closed;
  clearTimeout(timer);
}

type Handler = (request: IncomingMessage, url: URL, response: ServerResponse) => Promise<Answer | undefined>;

/** Returns the function that answers each request. It checks the request first, then the path and the method. */
function createAnswerer(options: LiveServerOptions, port: number, token: string) {
  const isToken = makeTokenCheck(token);
  const routes = buildRoutes(options);
  // As a browser writes them: without the port if it is 80.
  const names = [host, 'localhost'].map(name => new URL(`http://${name}:${port}`).host);
  const base = `http://${host}:${port}`;
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = URL.canParse(request.url ?? '', base) ? new URL(request.url ?? '', base) : undefined;
    const answer =
      refuseForeign(request, names) ??
      refuseWithoutToken(request, url?.pathname, isToken) ??
      (await answerRoute(routes, request, url, response));
    if (answer !== undefined) send(response, answer);
  };
}

/** Refuses a request that a page of another origin may have caused. `names`: the hosts of this server. */
function refuseForeign({ headers }: IncomingMessage, names: readonly string[]): Answer | undefined {
  if (!names.includes(headers.host ?? '')) {
    return makeRefusal(403, `the Host header names another server; expected ${names.join(' or ')}`);
  }
  if (headers.origin !== undefined && !names.some(name => headers.origin === `http://${name}`)) {
    return makeRefusal(
      403,
      'the request comes from a page of another origin; open the address that the command printed',
    );
  }
  return undefined;
}

function refuseWithoutToken(
  { headers }: IncomingMessage,
  path: string | undefined,
  isToken: (given: string) => boolean,
): Answer | undefined {
  const given = headers[tokenHeader];
  if (path === paths.page || (typeof given === 'string' && isToken(given))) return undefined;
  const found = given === undefined ? `no header ${tokenHeader}` : 'the token of another command';
  return makeRefusal(403, `found ${found}; open the address that the command printed, with all that follows the #`);
}

/** Compares digests in constant time. Two digests always have the same length. */
function makeTokenCheck(token: string): (given: string) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return given => timingSafeEqual(digest(given), expected);
}

interface Route {
  readonly methods: readonly string[];
  readonly handle: Handler;
}

function buildRoutes({ session, page, exportFile }: LiveServerOptions): ReadonlyMap<string, Route> {
  const read = ['GET', 'HEAD'];
  const pageHeaders = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': page.contentSecurityPolicy,
  };
  const routes = new Map<string, Route>([
    [paths.page, { methods: read, handle: async () => ({ status: 200, body: page.html, headers: pageHeaders }) }],
    [
      paths.stream,
      { methods: ['GET'], handle: async (request, _url, response) => openStream(session, request, response) },
    ],
    [paths.command, { methods: ['POST'], handle: async request => carryOut(session, request) }],
    [paths.story, { methods: read, handle: async (_request, url) => tellStory(session, url) }],
  ]);
  for (const name of exportNames) {
    routes.set(`${paths.export}${name}`, { methods: read, handle: async () => sendFile(name, exportFile(name)) });
  }
  return routes;
}

async function answerRoute(
  routes: ReadonlyMap<string, Route>,
  request: IncomingMessage,
  url: URL | undefined,
  response: ServerResponse,
): Promise<Answer | undefined> {
  const { method = '' } = request;
  if (url === undefined) return makeRefusal(400, 'the address cannot be read; expected a path such as /');
  const route = routes.get(url.pathname);
  if (route === undefined) return makeRefusal(404, unknownName('path', url.pathname, [...routes.keys()]));
  if (route.methods.includes(method)) return route.handle(request, url, response);
  const allow = route.methods.join(', ');
  return { ...makeRefusal(405, `${method} ${url.pathname}: expected ${allow}`), headers: { allow } };
}

async function openStream(
  session: LiveSession,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Answer | undefined> {
  if (session.stream.open(request, response)) return undefined;
  return makeRefusal(503, `${streamsMax} pages are open; close one of them`);
}

async function carryOut(session: LiveSession, request: IncomingMessage): Promise<Answer> {
  const body = await readBody(request);
  if (body === undefined) return makeRefusal(413, `the body is longer than ${bodyBytesMax / 1024} KB`);
  const parsed = parseCommand(body);
  if ('problem' in parsed) return makeRefusal(400, parsed.problem);
  const reply: CommandReply = { problems: await session.do(parsed.command) };
  return makeJsonAnswer(reply);
}

/** Reads a body. Resolves with undefined when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > discardedBytesMax) break;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  if (bytes > bodyBytesMax) return undefined;
  return Buffer.concat(chunks).toString('utf8');
}

async function tellStory(session: LiveSession, url: URL): Promise<Answer> {
  const [given, user] = [url.searchParams.get('side') ?? '', url.searchParams.get('user') ?? ''];
  if (!isSideName(given)) return makeRefusal(400, unknownName('side', given, sideNames));
  const side = session.side(given);
  if (side === undefined) return makeRefusal(404, `there is no ${given} side`);
  const story = side.story(user);
  if (story !== undefined) return makeJsonAnswer(story);
  const names = side.view().users.map(({ name }) => name);
  return makeRefusal(
    404,
    `the ${given} side has no user "${user.slice(0, 60)}"; expected a name such as ${names[0] ?? 'user-1'}`,
  );
}

function isSideName(name: string): name is SideName {
  return sideNames.some(known => known === name);
}

function sendFile(name: ExportName, body: Iterable<string> | undefined): Answer {
  if (body !== undefined) return { status: 200, body, headers: buildExportHeaders(name) };
  return makeRefusal(404, `this session has no ${name}`);
}

function buildExportHeaders(name: ExportName): Readonly<Record<string, string>> {
  const types = { html: 'text/html; charset=utf-8', ndjson: 'application/x-ndjson', yaml: 'application/yaml' } as const;
  const type = Object.entries(types).find(([ending]) => name.endsWith(ending))?.[1] ?? 'application/octet-stream';
  return { 'content-type': type, 'content-disposition': `attachment; filename="${name}"` };
}

function makeJsonAnswer(value: object): Answer {
  return { status: 200, body: JSON.stringify(value), headers: { 'content-type': 'application/json' } };
}

function makeRefusal(status: number, sentence: string): Answer {
  return { status, body: `${sentence.replace(/\.$/, '')}.\n` };
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // The rest of a body that was not read would be parsed as the next request.
  if (!response.req.complete) response.shouldKeepAlive = false;
  response.writeHead(status, { ...safeHeaders, ...headers });
  if (response.req.method === 'HEAD') response.end();
  else if (typeof body === 'string') response.end(body);
  // If the page closes the connection, the remaining parts are not computed.
  else pipeline(Readable.from(body), response, () => undefined);
}

const safeHeaders = {
  'content-type': 'text/plain; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; sandbox",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

const sideSchema = oneOf('side', sideNames);

const sidesSchema = z
  .array(sideSchema, { error: sayExpected(`a list of sides: ${sideNames.join(', ')}`) })
  .min(1, { error: `expected at least one side: ${sideNames.join(', ')}` })
  .transform(list => [...new Set(list)]);

const printableText = (what: string) => text(what, /^[\x20-\x7e]{1,100}$/);
const optionsSchema = z.record(z.string(), z.unknown(), { error: sayExpected('a map of options') });

const commandSchemas = {
  strike: {
    sides: sidesSchema,
    fault: printableText('the name of a fault, such as kill'),
    target: printableText('the name of a target, such as backend-2'),
    options: optionsSchema.optional(),
  },
  heal: { sides: sidesSchema, member: printableText('the name of a member, such as backend-2') },
  'set-users': { count: wholeNumber(0, 1_000_000) },
  'set-mode': { side: sideSchema, mode: printableText('the name of a mode, such as redis') },
  'next-seed': {},
  clear: {},
} satisfies { readonly [Do in Command['do']]: z.ZodRawShape };

const commandNames = Object.keys(commandSchemas) as readonly Command['do'][];

const anyCommand = z.looseObject(
  { do: oneOf('command', commandNames) },
  { error: sayExpected('a map such as {"do":"clear"}') },
);

/** Parses the body of a command. Returns the problem in words when it is malformed. */
function parseCommand(body: string): { readonly command: Command } | { readonly problem: string } {
  let written: unknown;
  try {
    written = JSON.parse(body);
  } catch (error) {
    return { problem: `the body is no JSON (${messageOf(error)}); expected a command such as {"do":"clear"}` };
  }
  const which = anyCommand.safeParse(written);
  if (!which.success) return { problem: describeIssue(which.error) };
  const { do: name } = which.data;
  const command = map(`the command ${name}`, { do: z.literal(name), ...commandSchemas[name] }).safeParse(written);
  // The schema of each command has exactly its fields.
  return command.success ? { command: command.data as Command } : { problem: describeIssue(command.error) };
}

function describeIssue({ issues: [first] }: z.ZodError): string {
  const place = first === undefined || first.path.length === 0 ? '' : `${first.path.join('.')}: `;
  return `${place}${(first?.message ?? 'a malformed command').replaceAll('\n', ' ')}`;
}
