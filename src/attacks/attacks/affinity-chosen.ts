import { randomInt } from 'node:crypto';
import { type Attack, notApplicable, Tries } from '../attack.js';
import { type BindingCookie, backendOf, fetchBinding, noAffinityReason } from '../tools/affinity.js';
import type { BackendAddress, Target } from '../tools/target.js';

const probes = {
  'the own cookie': ['trusting-sticky'],
  'a cookie of another proxy': ['trusting-sticky'],
  'a header': ['trusting-sticky'],
  'the host': ['trusting-sticky'],
} as const;

type Probe = keyof typeof probes;

/** An attacker who can choose the backend can overload one of them, or reach a weak one. */
export const affinityChosen: Attack = {
  title: 'choose the backend: by its name, number or address, in a header or in a cookie that other proxies use',
  asvs: [],
  probes,
  run,
};

/** Random choices in a row that must all succeed. By chance that is 1 in 3^15 for each of some 140 ways. */
const choices = 15;

/** Builds the headers that ask for this backend. */
type Way = (backend: BackendAddress, number: number) => Readonly<Record<string, string>>;

async function run(target: Target) {
  if (!target.affinity) return notApplicable(noAffinityReason);
  const tries = new Tries<Probe>();
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

function listWays(own: BindingCookie): readonly (readonly [probe: Probe, what: string, way: Way])[] {
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
