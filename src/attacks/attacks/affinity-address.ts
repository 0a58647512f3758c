import { hash } from 'node:crypto';
import { type Attack, notApplicable, Tries } from '../attack.js';
import { type BindingCookie, fetchBindingsToAll, noAffinityReason } from '../tools/affinity.js';
import type { BackendAddress, Target } from '../tools/target.js';

const probes = {
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
  probes,
  run,
};

async function run(target: Target) {
  if (!target.affinity) return notApplicable(noAffinityReason);
  const tries = new Tries<keyof typeof probes>();
  for (const binding of await fetchBindingsToAll(target)) {
    const [plain, decoded] = readingsOf(binding);
    const search = (probe: keyof typeof probes, texts: readonly string[], [what, needle]: Needle) => {
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
