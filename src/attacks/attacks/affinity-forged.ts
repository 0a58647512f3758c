import { type Attack, notApplicable, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { type BindingCookie, fetchBindingsToAll, noAffinityReason, testBinding } from '../tools/affinity.js';
import { expectStatus } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
  'a changed byte': ['trusting-sticky'],
  'a cut cookie': ['trusting-sticky'],
  'parts of two cookies': ['trusting-sticky'],
  'plain HTTP behind TLS': ['trusting-sticky'],
} as const;

type Probe = keyof typeof probes;

/** An attacker who can make such cookies can send many browsers to one backend, or study that backend alone. */
export const affinityForged: Attack = {
  title: 'forge an affinity cookie: change each byte, cut it, mix two cookies, use a cookie of plain HTTP behind TLS',
  asvs: [],
  probes,
  run,
};

async function run(target: Target) {
  if (!target.affinity) return notApplicable(noAffinityReason);
  const tries = new Tries<Probe>();
  const bindings = await fetchBindingsToAll(target);
  const [own, other] = bindings;
  if (own === undefined || other === undefined) throw new Inconclusive('there is only one backend to bind to');
  const genuine = await testBinding(target, own);
  if (!genuine.isFollowed) throw new Inconclusive('the proxy does not follow the cookie that it has just set');
  const all: readonly (readonly [Probe, readonly string[]])[] = [
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
async function tryBehindTls(target: Target, { name, value }: BindingCookie, tries: Tries<Probe>): Promise<void> {
  for (const named of [name, `__Host-${name}`, `__Secure-${name}`]) {
    const headers = { 'x-forwarded-proto': 'https', cookie: `${named}=${value}` };
    const answer = expectStatus(await target.browser().get('/me', { headers }), 200, 'GET /me behind TLS');
    const isFollowed = answer.setCookies.length === 0;
    tries.of('plain HTTP behind TLS').add(`behind TLS the proxy followed ${named} of plain HTTP`, isFollowed, answer);
  }
}
