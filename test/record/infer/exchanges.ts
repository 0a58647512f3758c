import type { Passes, RecordedExchange } from '#src/record/recording.js';

type Json = Readonly<Record<string, unknown>>;

interface Said {
  readonly status?: number;
  readonly type?: string;
  readonly json?: unknown;
  readonly text?: string;
  readonly cookies?: readonly string[];
  readonly location?: string;
}

/** Builds one exchange from the parts that matter. */
export function exchange(
  request: string,
  sent: { json?: unknown; form?: Json; headers?: Json },
  said: Said,
): RecordedExchange {
  const [method = 'GET', path = '/'] = request.split(' ');
  const { json, form, headers = {} } = sent;
  const type =
    json !== undefined ? 'application/json' : form === undefined ? undefined : 'application/x-www-form-urlencoded';
  const all = { ...(type === undefined ? {} : { 'content-type': type }), ...headers };
  const asText = (each: Json) => Object.entries(each).map(([name, value]): [string, string] => [name, String(value)]);
  const answerType = said.type ?? (said.json === undefined ? 'text/html' : 'application/json');
  return {
    startedMs: 0,
    method,
    path,
    requestHeaders: asText(all),
    requestBody:
      json !== undefined
        ? JSON.stringify(json)
        : form === undefined
          ? ''
          : new URLSearchParams(asText(form)).toString(),
    status: said.status ?? 200,
    responseHeaders: [
      ['content-type', answerType],
      ...(said.cookies ?? []).map((line): [string, string] => ['set-cookie', line]),
      ...(said.location === undefined ? [] : [['location', said.location] as [string, string]]),
    ],
    responseBody: said.json === undefined ? (said.text ?? '') : JSON.stringify(said.json),
  };
}

/** What differs between the two passes of a plain JSON app with a cookie. */
export interface PassValues {
  readonly n: 1 | 2;
  readonly user: string;
  readonly item: string;
  readonly cookie: string;
}

export type PlainStep = 'start' | 'login' | 'add' | 'read' | 'logout';
export type Steps = Readonly<Record<PlainStep, (values: PassValues) => RecordedExchange[]>>;

export const cookie = ({ cookie }: PassValues) => ({ cookie: `sid=${cookie}` });
export const plain: Steps = {
  start: () => [exchange('GET /', {}, { text: '<h1>Shop</h1>' })],
  login: it => [
    exchange(
      'POST /login',
      { json: { user: it.user, password: 'secret' } },
      { json: { ok: true }, cookies: [`sid=${it.cookie}`] },
    ),
    exchange('GET /cart', { headers: cookie(it) }, { json: { user: it.user, items: [] } }),
  ],
  add: it => [
    exchange('POST /cart', { json: { sku: it.item }, headers: cookie(it) }, { status: 201, json: { sku: it.item } }),
  ],
  read: it => [
    exchange('GET /cart', { headers: cookie(it) }, { json: { user: it.user, items: [{ sku: it.item, quantity: 1 }] } }),
  ],
  logout: it => [exchange('POST /logout', { headers: cookie(it) }, { status: 204, cookies: ['sid=; Max-Age=0'] })],
};
export const refused = [exchange('GET /cart', {}, { status: 401, json: { error: 'log in' } })];

/** Builds the three passes of the plain app, with some steps changed. */
export function passesOf(change: Partial<Steps> = {}, anonymous = refused): Passes {
  const steps = Object.values({ ...plain, ...change });
  const pass = (n: 1 | 2) => {
    const values = { n, user: `hf-user-${n}`, item: `hf-item-${n}`, cookie: `c00kie-of-pass-${n}` };
    return { user: values.user, item: values.item, exchanges: steps.flatMap(step => step(values)) };
  };
  return { first: pass(1), second: pass(2), anonymous };
}
