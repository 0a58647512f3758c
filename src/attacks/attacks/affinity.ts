import { hash, randomInt } from 'node:crypto';
import { type Attack, notApplicable, Tries } from '../attack.js';
import { type BrowserAnswer, Inconclusive, readSetCookie, sessionCookies } from '../tools/browser.js';
import { expectStatus } from '../tools/shop.js';
import type { BackendAddress, Target } from '../tools/target.js';

const choiceProbes = {
  'the own cookie': ['trusting-sticky'],
  'a cookie of another proxy': ['trusting-sticky'],
  'a header': ['trusting-sticky'],
  'the host': ['trusting-sticky'],
} as const;

type ChoiceProbe = keyof typeof choiceProbes;

/** An attacker who can choose the backend can overload one of them, or reach a weak one. */
export const affinityChosen: Attack = {
  title: 'choose the backend: by its name, number or address, in a header or in a cookie that other proxies use',
  asvs: [],
  probes: choiceProbes,
  run: tryChoices,
};

/** Random choices in a row that must all succeed. By chance that is 1 in 3^15 for each of some 140 ways. */
const choices = 15;

/** Builds the headers that ask for this backend. */
type Way = (backend: BackendAddress, number: number) => Readonly<Record<string, string>>;

async function tryChoices(target: Target) {
  if (!target.affinity) return notApplicable(noAffinityReason);
  const tries = new Tries<ChoiceProbe>();
  const own = await fetchBinding(target);
  for (const [probe, what, way] of listWays(own)) {
    if (tries.of(probe).hasSucceeded) continue;
    const { answer, wentThrough } = await tryToChoose(target, way);
    tries.of(probe).add(`the backend was chosen by ${what}`, wentThrough, answer);
  }
  return tries.result();
}

async function tryToChoose(target: Target, way: Way) {
  for (let left = choices - 1; ; left--) {
    const at = randomInt(target.backends.length);
    const wanted = target.backends[at] ?? { name: '', url: '' };
    const answer = await target.browser().get('/me', { headers: way(wanted, at + 1) });
    const isMet = backendOf(answer) === wanted.name;
    if (!isMet || left === 0) return { answer, wentThrough: isMet };
  }
}

function listWays(own: BindingCookie): readonly (readonly [probe: ChoiceProbe, what: string, way: Way])[] {
  const cookies = ['backend', 'route', 'ROUTEID', 'SERVERID', 'SRV', 'AWSALB', 'sticky', 'lb', 'JSESSIONID'];
  const headers = [
    'x-backend',
    'x-upstream',
    'x-target',
    'x-server',
    'x-route',
    'x-forwarded-server',
    'holdfast-backend',
  ];
  const inCookies = cookies.flatMap(name =>
    spellings.map(
      ([form, spell]) =>
        ['a cookie of another proxy', `${form} in the cookie ${name}`, askByCookie(name, spell)] as const,
    ),
  );
  const inHeaders = headers.flatMap(name =>
    spellings.map(([form, spell]) => ['a header', `${form} in the header ${name}`, askByHeader(name, spell)] as const),
  );
  const edited = (_backend: BackendAddress, number: number) => own.value.replace(/\d+/, String(number));
  return [
    ['the own cookie', 'the number in the own cookie', askByCookie(own.name, edited)],
    [
      'the own cookie',
      'the last number in the own cookie',
      askByCookie(own.name, (_, number) => own.value.replace(/\d+$/, String(number))),
    ],
    ...spellings.map(
      ([form, spell]) => ['the own cookie', `${form} in the own cookie`, askByCookie(own.name, spell)] as const,
    ),
    ...inCookies,
    ...inHeaders,
    ['the host', 'the host', ({ url }) => ({ host: new URL(url).host })],
  ];
}

type Spell = (backend: BackendAddress, number: number) => string;

const spellings: readonly (readonly [form: string, spell: Spell])[] = [
  ['its name', ({ name }) => name],
  ['its number', (_backend, number) => String(number)],
  ['its number from zero', (_backend, number) => String(number - 1)],
  ['its address', ({ url }) => new URL(url).host],
  ['its URL', ({ url }) => url],
  ['its name in Base64', ({ name }) => Buffer.from(name).toString('base64url')],
  ['its address in Base64', ({ url }) => Buffer.from(new URL(url).host).toString('base64url')],
  ['its name behind a dot', ({ name }) => `x.${name}`],
];

function askByCookie(name: string, spell: Spell): Way {
  return (backend, number) => ({ cookie: `${name}=${spell(backend, number)}` });
}

function askByHeader(name: string, spell: Spell): Way {
  return (backend, number) => ({ [name]: spell(backend, number) });
}

const forgedProbes = {
  'a changed byte': ['trusting-sticky'],
  'a cut cookie': ['trusting-sticky'],
  'parts of two cookies': ['trusting-sticky'],
  'plain HTTP behind TLS': ['trusting-sticky'],
} as const;

type ForgedProbe = keyof typeof forgedProbes;

/** An attacker who can make such cookies can send many browsers to one backend, or study that backend alone. */
export const affinityForged: Attack = {
  title: 'forge an affinity cookie: change each byte, cut it, mix two cookies, use a cookie of plain HTTP behind TLS',
  asvs: [],
  probes: forgedProbes,
  run: tryForgedCookies,
};

async function tryForgedCookies(target: Target) {
  if (!target.affinity) return notApplicable(noAffinityReason);
  const tries = new Tries<ForgedProbe>();
  const bindings = await fetchBindingsToAll(target);
  const [own, other] = bindings;
  if (own === undefined || other === undefined) throw new Inconclusive('there is only one backend to bind to');
  const genuine = await testBinding(target, own);
  if (!genuine.isFollowed) throw new Inconclusive('the proxy does not follow the cookie that it has just set');
  const all: readonly (readonly [ForgedProbe, readonly string[]])[] = [
    ['a changed byte', changeBytes(own.value)],
    ['a cut cookie', cutValue(own.value)],
    ['parts of two cookies', mixParts(own, other)],
  ];
  for (const [probe, values] of all) {
    for (const value of new Set(values)) {
      if (value === own.value || value === other.value || tries.of(probe).hasSucceeded) continue;
      const { answer, isFollowed: wentThrough } = await testBinding(target, { ...own, value });
      tries.of(probe).add(`the proxy followed ${own.name}=${value}`, wentThrough, answer);
    }
  }
  await tryBehindTls(target, own, tries);
  return tries.result();
}

/** Replaces each character by two others of its kind. */
function changeBytes(value: string): readonly string[] {
  return [...value].flatMap((char, at) =>
    listNeighbours(char).map(next => `${value.slice(0, at)}${next}${value.slice(at + 1)}`),
  );
}

function listNeighbours(char: string): readonly string[] {
  const kinds = ['0123456789', 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  const kind = kinds.find(letters => letters.includes(char));
  if (kind === undefined) return ['A', '0'];
  const at = kind.indexOf(char);
  return [kind.at(at - 1) ?? '', kind[(at + 1) % kind.length] ?? ''];
}

function cutValue(value: string): readonly string[] {
  const parts = value.split('.');
  return [
    '',
    value.slice(1),
    value.slice(0, -1),
    `${value}A`,
    `${value}=`,
    `${value}.`,
    value + value,
    value.toLowerCase(),
    ...parts.map((_part, at) => parts.toSpliced(at, 1).join('.')),
    ...parts.map((_part, at) => parts.slice(0, at).join('.')),
  ];
}

/** Combines the parts of two cookies. */
function mixParts(own: BindingCookie, other: BindingCookie): readonly string[] {
  const [mine, theirs] = [own.value.split('.'), other.value.split('.')];
  return mine.flatMap((_part, at) => [
    mine.with(at, theirs[at] ?? '').join('.'),
    [...mine.slice(0, at), ...theirs.slice(at)].join('.'),
  ]);
}

/** Tries a cookie of plain HTTP behind TLS. The proxy must refuse it, because an attacker on the network can set it. */
async function tryBehindTls(target: Target, { name, value }: BindingCookie, tries: Tries<ForgedProbe>): Promise<void> {
  for (const named of [name, `__Host-${name}`, `__Secure-${name}`]) {
    const headers = { 'x-forwarded-proto': 'https', cookie: `${named}=${value}` };
    const answer = expectStatus(await target.browser().get('/me', { headers }), 200, 'GET /me behind TLS');
    const isFollowed = answer.setCookies.length === 0;
    tries.of('plain HTTP behind TLS').add(`behind TLS the proxy followed ${named} of plain HTTP`, isFollowed, answer);
  }
}

const addressProbes = {
  'in plain text': ['trusting-sticky'],
  encoded: ['trusting-sticky'],
  hashed: ['trusting-sticky'],
} as const;

/**
 * An affinity cookie must not reveal the network behind the proxy. The cookie of F5, for example, holds address and
 * port.
 */
export const affinityAddress: Attack = {
  title: 'read the name, address or port of a backend from an affinity cookie: in plain text, encoded, or hashed',
  asvs: [],
  probes: addressProbes,
  run: tryToReadAddress,
};

async function tryToReadAddress(target: Target) {
  if (!target.affinity) return notApplicable(noAffinityReason);
  const tries = new Tries<keyof typeof addressProbes>();
  for (const binding of await fetchBindingsToAll(target)) {
    const [plain, decoded] = readingsOf(binding);
    const search = (probe: keyof typeof addressProbes, texts: readonly string[], [what, needle]: Needle) => {
      const isShown = texts.some(text => needle.test(text));
      tries.of(probe).add(`${binding.name}=${binding.value} shows ${what}`, isShown, buildProof(binding));
    };
    for (const needle of target.backends.flatMap(needlesOf)) {
      search('in plain text', plain, needle);
      search('encoded', decoded, needle);
    }
    for (const needle of target.backends.flatMap(digestsOfAll)) search('hashed', [...plain, ...decoded], needle);
  }
  return tries.result();
}

type Needle = readonly [what: string, needle: RegExp];

/** Returns the value and its parts as they are, and decoded from Base64 and from hexadecimal. */
function readingsOf({ value }: BindingCookie): readonly [plain: readonly string[], decoded: readonly string[]] {
  const plain = [value, decodeURIComponent(value), ...value.split('.')];
  const decoded = plain.flatMap(text => [
    Buffer.from(text, 'base64url').toString('latin1'),
    Buffer.from(text, 'hex').toString('latin1'),
  ]);
  return [plain, decoded];
}

function needlesOf({ name, url }: BackendAddress): readonly Needle[] {
  const { host, hostname, port } = new URL(url);
  const bytes = hostname.split('.').map(Number);
  const [low, high] = [Number(port) & 0xff, Number(port) >> 8];
  const number = (from: readonly number[]) => from.reduce((sum, byte) => sum * 256 + byte, 0);
  const plain = [name, host, hostname, url, String.fromCharCode(...bytes), String.fromCharCode(...bytes.toReversed())];
  const numbers = [port, number(bytes), number(bytes.toReversed()), low * 256 + high].map(String);
  return [
    ...plain.map(text => [JSON.stringify(text), matchLiterally(text)] as const),
    ...numbers.map(text => [`the number ${text}`, new RegExp(`(?<!\\d)${text}(?!\\d)`)] as const),
  ];
}

function digestsOfAll({ name, url }: BackendAddress): readonly Needle[] {
  const { host, port } = new URL(url);
  return [name, host, url, port].flatMap(digestsOf);
}

/** Lists digests of a text. An attacker could compute them for every address and compare; 16 characters are enough. */
function digestsOf(text: string): readonly Needle[] {
  return ['md5', 'sha1', 'sha256', 'sha512'].flatMap(digest =>
    (['hex', 'base64url'] as const).map(
      form => [`the ${digest} of ${text}`, matchLiterally(hash(digest, text, form).slice(0, 16))] as const,
    ),
  );
}

function matchLiterally(text: string): RegExp {
  return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
}

function buildProof({ name, value, backend }: BindingCookie) {
  const decisive = `set-cookie: ${name}=${value}`;
  const response = ['HTTP/1.1 200 OK', `holdfast-backend: ${backend}`, decisive];
  return { exchange: { request: ['GET /me HTTP/1.1'], response, body: '', decisive } };
}

/*
 * What the attacks on affinity cookies share.
 */

/** Why such an attack does not apply. */
const noAffinityReason = 'the proxy binds no browser to a backend';

/** The cookie that binds a browser to a backend. */
interface BindingCookie {
  readonly name: string;
  readonly value: string;
  /** The backend that set the cookie. */
  readonly backend: string;
}

/** Gets the cookie that the proxy sets for a new browser. */
async function fetchBinding(target: Target): Promise<BindingCookie> {
  const answer = await target.browser().get('/me');
  const set = answer.setCookies.map(readSetCookie).find(({ name }) => !sessionCookies.has(name));
  if (set === undefined) throw new Inconclusive('the proxy set no affinity cookie for a new browser');
  return { name: set.name, value: set.value, backend: backendOf(answer) };
}

/** Gets one cookie for each backend. Rejects with `Inconclusive` when random routing does not reach all of them. */
async function fetchBindingsToAll(target: Target): Promise<readonly BindingCookie[]> {
  const found = new Map<string, BindingCookie>();
  for (let visits = 0; found.size < target.backends.length; visits++) {
    if (visits > visitsMax) throw new Inconclusive(`after ${visits} visits only ${found.size} backends were met`);
    const binding = await fetchBinding(target);
    found.set(binding.backend, binding);
  }
  return [...found.values()];
}

const visitsMax = 100;

/** Tests whether the proxy accepts this cookie. It immediately replaces a cookie that it does not accept. */
async function testBinding(target: Target, { name, value }: Pick<BindingCookie, 'name' | 'value'>) {
  const answer = expectStatus(
    await target.browser().get('/me', { headers: { cookie: `${name}=${value}` } }),
    200,
    'GET /me',
  );
  return { answer, isFollowed: answer.setCookies.every(line => readSetCookie(line).name !== name) };
}

function backendOf({ headers }: BrowserAnswer): string {
  return headers['holdfast-backend'] ?? '';
}
