import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { mapConcurrently } from '../tools/at-once.js';
import { sessionCookie } from '../tools/browser.js';
import { isHonoured, logInFreshUser, userOf } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const atOnce = 16;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const probes = {
  'a changed character': ['lenient-shop'],
  'a cut token': ['lenient-shop'],
  'a longer token': ['lenient-shop'],
  'another version or key id': ['jwt-trusting', 'seal-trusting'],
} as const;

type Probe = keyof typeof probes;

export const tamperedToken: Attack = {
  title: 'change each character of a token, cut it at every length, lengthen it, change its version or key id',
  asvs: ['7.2.1', '9.1.1'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<Probe>();
  const { user, browser } = await logInFreshUser(target);
  const { token } = browser;
  const all: readonly (readonly [Probe, readonly Forgery[]])[] = [
    ['a changed character', flipBits(token)],
    ['a cut token', cutToLengths(token)],
    ['a longer token', lengthen(token)],
    ['another version or key id', relabel(target.strategy, token)],
  ];
  const forgeries = all.flatMap(([probe, made]) => made.map(([what, forged]) => ({ probe, what, forged })));
  await mapConcurrently(forgeries, atOnce, async ({ probe, what, forged }) => {
    if (tries.of(probe).hasSucceeded) return;
    // The affinity cookie stays, so that the forgery reaches the backend that would accept the token.
    const forger = browser.copy();
    forger.cookies.set(sessionCookie, forged);
    const answer = await forger.get('/me');
    tries.of(probe).add(`a changed token was accepted: ${what}`, userOf(answer) === user, answer);
  });
  if (!(await isHonoured(browser, user))) throw new Inconclusive('the honest session ended during the attack');
  return tries.result();
}

/** A description of the change, and the resulting token. */
type Forgery = readonly [what: string, forged: string];

/** Flips the lowest and the highest of the six bits of each character. The lowest bit of the last may carry no data. */
function flipBits(token: string): Forgery[] {
  return [...token].flatMap((letter, at) =>
    listOtherLetters(letter).map(
      other =>
        [`character ${at + 1} of ${token.length} changed`, token.slice(0, at) + other + token.slice(at + 1)] as const,
    ),
  );
}

function listOtherLetters(letter: string): string[] {
  const value = alphabet.indexOf(letter);
  return value === -1 ? ['A', '_'] : [alphabet.charAt(value ^ 1), alphabet.charAt(value ^ 32)];
}

function cutToLengths(token: string): Forgery[] {
  return Array.from({ length: token.length }, (_, length) => [
    `only its first ${length} characters`,
    token.slice(0, length),
  ]);
}

function lengthen(token: string): Forgery[] {
  const ends = ['A', '=', '.', '~', '%00', '%20', `.${token}`, `~${token}`];
  return [
    ...ends.map(end => [`"${end.slice(0, 3)}" after it`, token + end] as const),
    ['"A" before it', `A${token}`],
    ['quotes around it', `"${token}"`],
    ['its first character percent-encoded', `%${token.charCodeAt(0).toString(16)}${token.slice(1)}`],
  ];
}

/** Changes only the version or the key id of a token that has them. */
function relabel(strategy: Target['strategy'], token: string): readonly Forgery[] {
  if (strategy === 'sealed') return relabelSeal(token);
  return strategy === 'jwt' ? relabelJwt(token) : [];
}

function relabelSeal(token: string): Forgery[] {
  const [version = '', key = '', ...body] = token.split('.');
  const versions = ['v0', 'v2', 'v10', 'V1', ''].map(
    other => [`version "${other}"`, [other, key, ...body].join('.')] as const,
  );
  const keys = [`${key}x`, 'other', '', '..'].map(
    other => [`key id "${other}"`, [version, other, ...body].join('.')] as const,
  );
  return [...versions, ...keys];
}

function relabelJwt(token: string): Forgery[] {
  const [head = '', ...rest] = token.split('.');
  const header: Record<string, unknown> = JSON.parse(Buffer.from(head, 'base64url').toString());
  const headers = [
    ...['other', '', '../../dev/null', null].map(kid => ({ ...header, kid })),
    ...['JWT', 'refresh+jwt', ''].map(typ => ({ ...header, typ })),
  ];
  return headers.map(other => {
    const text = JSON.stringify(other);
    return [`the header ${text}`, [Buffer.from(text).toString('base64url'), ...rest].join('.')];
  });
}
