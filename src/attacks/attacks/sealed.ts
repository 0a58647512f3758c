import { type Attack, type AttackResult, notApplicable } from '../attack.js';
import { Inconclusive } from '../tools/browser.js';
import {
  deriveKey,
  type Forgery,
  knownKeyFiles,
  nonceBytes,
  openSeal,
  proveContent,
  readSeal,
  type Seal,
  sealOf,
  sealText,
  sendForgeries,
  sessionPurpose,
  tagBytes,
} from '../tools/forge.js';
import { listGuessedKeys } from '../tools/jwt-forgeries.js';
import { enrolUser, logInFreshUser, preLoginOf, reauthenticate } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

export const sealKey: Attack = {
  title: 'send an encrypted token that was altered, sealed with a guessed key or a named file, or not encrypted at all',
  asvs: ['9.1.1', '9.1.2', '9.1.3'],
  probes: {
    'a tag that is wrong': ['seal-trusting'],
    'a guessed key': ['seal-trusting'],
    'a file as key id': ['seal-trusting'],
    'another version': ['seal-trusting'],
  },
  run: target => tryForgeries(target, async forge => [...forgeAlteredTokens(forge), ...forgeForeignKeys(forge)]),
};

/** The tokens are sealed with the key of the shop, as by another service that shares it. So only the times are wrong. */
export const sealTimes: Attack = {
  title: 'send a well-sealed token with limits that are over or no number, or with a time of issue in the future',
  asvs: ['9.2.1'],
  probes: {
    'a limit that is over': ['seal-trusting'],
    'a limit that is no number': ['seal-trusting'],
    'an issue in the future': ['seal-trusting'],
  },
  run: target => tryForgeries(target, async forge => forgeTimes(forge, Date.now())),
};

/** A sealed token has no audience claim: the key itself is derived for one purpose, and each audience has its own. */
export const sealPurpose: Attack = {
  title: 'send a well-sealed token that was made for another purpose in place of a session',
  asvs: ['9.2.2', '9.2.3', '9.2.4'],
  probes: { 'a session for another purpose': ['seal-trusting'], 'a token of another kind': ['seal-trusting'] },
  run: target => tryForgeries(target, async forge => [...forgePurposes(forge), ...(await collectOtherTokens(target))]),
};

/** Collects the other tokens that the shop seals for a browser. */
async function collectOtherTokens(target: Target): Promise<readonly Forgery[]> {
  const { user, browser } = await enrolUser(target);
  const halfway = await preLoginOf(target, user);
  const other = await logInFreshUser(target);
  await reauthenticate(other.browser, target.password);
  const found = [browser, halfway, other.browser].flatMap(({ cookies }) => [...cookies]);
  const sealed = found.filter(([name, token]) => name !== 'session' && /^v\d+\./.test(token));
  if (sealed.length === 0) throw new Inconclusive('the shop sets no other sealed cookie');
  return sealed.map(([name, token]) => ({ probe: 'a token of another kind', what: `the cookie ${name}`, token }));
}

/** Sends every token that `forgeries` makes. The content is that of the attacker's own session. */
async function tryForgeries(
  target: Target,
  forgeries: (forge: SealForge) => Promise<readonly Forgery[]>,
): Promise<AttackResult> {
  if (target.strategy !== 'sealed') return notApplicable('the session cookie is not an encrypted token');
  const forge = await prepareForge(target);
  await proveContent(target, forge.seal(forge.fields), forge.victim);
  return sendForgeries(target, await forgeries(forge));
}

async function prepareForge(target: Target): Promise<SealForge> {
  const { user, browser } = await logInFreshUser(target);
  const ring = await target.keyRing();
  const fields = openSeal(browser.token, ring);
  if (fields[1] !== user) throw new Inconclusive('a sealed token does not name its user in its second field');
  return makeSealForge(browser.token, fields, ring);
}

/** The keys with which the shop seals, the newest first. */
type Ring = Awaited<ReturnType<Target['keyRing']>>;

/*
 * The forgeries that each attack tries. Pure, except that sealing takes a random nonce.
 */

/** The material of an attacker: an own genuine token, and its content with the name of a victim. */
interface SealForge {
  readonly own: Seal;
  /** `[sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version, data, ...]`; durations count from the creation. */
  readonly fields: readonly unknown[];
  readonly victim: string;
  /** The position of the last letter of the user name in the encrypted bytes, and the bits that make it the victim's. */
  readonly flip: { readonly at: number; readonly mask: number };
  /** Seals as the shop does, for this purpose. */
  seal(fields: readonly unknown[], purpose?: string): string;
}

export function makeSealForge(token: string, ownFields: readonly unknown[], [newest]: Ring): SealForge {
  const own = readSeal(token);
  const user = String(ownFields[1]);
  const victim = `${user.slice(0, -1)}x`;
  const before = JSON.stringify([ownFields[0], user]).length - '"]'.length;
  const mask = user.charCodeAt(user.length - 1) ^ 'x'.charCodeAt(0);
  return {
    own,
    fields: ownFields.with(1, victim),
    victim,
    flip: { at: nonceBytes + before - 1, mask },
    seal: (fields, purpose = sessionPurpose) =>
      sealText(own, deriveKey(newest?.secret ?? Buffer.alloc(0), purpose), JSON.stringify(fields)),
  };
}

/** Changes the user in the encrypted bytes: without a check of the tag, AES-GCM lets anyone flip a known bit (9.1.1). */
export function forgeAlteredTokens({ own, flip }: SealForge): readonly Forgery[] {
  const bytes = Buffer.from(own.body, 'base64url');
  bytes[flip.at] = (bytes[flip.at] ?? 0) ^ flip.mask;
  const [content, tag] = [bytes.subarray(0, -tagBytes), bytes.subarray(-tagBytes)];
  const tags: readonly (readonly [what: string, tag: Buffer])[] = [
    ['the old tag', tag],
    ['a tag of zeros', Buffer.alloc(tagBytes)],
    ['a tag of four bytes', tag.subarray(0, 4)],
    ['no tag', Buffer.alloc(0)],
  ];
  return tags.map(([what, other]) => ({
    probe: 'a tag that is wrong',
    what: `a changed user name with ${what}`,
    token: sealOf({ ...own, body: Buffer.concat([content, other]).toString('base64url') }),
  }));
}

/** Seals with a key that an attacker can guess or name, or not at all (9.1.1, 9.1.2, 9.1.3). */
export function forgeForeignKeys({ own, fields }: SealForge): readonly Forgery[] {
  const text = JSON.stringify(fields);
  const guesses = listGuessedKeys({ kid: own.keyId }).map(guess => ({
    probe: 'a guessed key',
    what: `the key derived from ${JSON.stringify(guess)}`,
    token: sealText(own, deriveKey(guess, sessionPurpose), text),
  }));
  const files = knownKeyFiles.map(([keyId, content]) => ({
    probe: 'a file as key id',
    what: `the key id ${keyId}`,
    token: sealText({ ...own, keyId }, deriveKey(content, sessionPurpose), text),
  }));
  const plain = ['v0', 'v2', 'none', ''].map(version => ({
    probe: 'another version',
    what: `version "${version}", not encrypted`,
    token: sealOf({ ...own, version, body: Buffer.from(text).toString('base64url') }),
  }));
  return [...guesses, ...files, ...plain];
}

const dayMs = 86_400_000;

/** Seals wrong times (9.2.1). */
export function forgeTimes({ fields, seal }: SealForge, nowMs: number): readonly Forgery[] {
  const [created, absolute, idle, issued] = [2, 3, 4, 5];
  const changes: readonly (readonly [probe: string, what: string, fields: readonly unknown[]])[] = [
    ['a limit that is over', 'the idle limit over', fields.with(created, nowMs - 60_000).with(idle, 30_000)],
    ['a limit that is over', 'the absolute limit over', fields.with(created, nowMs - 60_000).with(absolute, 30_000)],
    ['a limit that is over', 'an old session', fields.with(created, nowMs - 365 * dayMs)],
    ['a limit that is over', 'limits of zero', fields.with(absolute, 0).with(idle, 0)],
    ...[null, '', true, 'never', [dayMs]].flatMap(value =>
      [absolute, idle, created].map(
        at =>
          ['a limit that is no number', `field ${at + 1} is ${JSON.stringify(value)}`, fields.with(at, value)] as const,
      ),
    ),
    ['an issue in the future', 'issued tomorrow', fields.with(issued, dayMs)],
    ['an issue in the future', 'begun tomorrow', fields.with(created, nowMs + dayMs)],
  ];
  return changes.map(([probe, what, changed]) => ({ probe, what, token: seal(changed) }));
}

/** Seals the content of a session for other purposes of the same key (9.2.2, 9.2.3, 9.2.4). */
export function forgePurposes({ fields, seal }: SealForge): readonly Forgery[] {
  const purposes = [
    '__Host-session',
    'pre-login',
    'known-browser',
    'totp',
    'holdfast:jwt:access',
    '',
    'Session',
    'another-shop',
  ];
  return purposes.map(purpose => ({
    probe: 'a session for another purpose',
    what: `a session sealed for the purpose "${purpose}"`,
    token: seal(fields, purpose),
  }));
}
