import type { KeyRing } from '../../shared/key-ring.js';
import { type Forgery, knownKeyFiles } from './forge-jwt.js';
import { deriveKey, readSeal, type Seal, sealOf, sealText, sessionPurpose } from './forge-seal.js';
import { listGuessedKeys } from './jwt-forgeries.js';

/** The forgeries that each attack on sealed tokens tries. Pure, except that sealing takes a random nonce. */

/** The material of an attacker: an own genuine token, and its content with the name of a victim. */
export interface SealForge {
  readonly own: Seal;
  /** `[sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version, data, ...]`; durations count from the creation. */
  readonly fields: readonly unknown[];
  readonly victim: string;
  /** The position of the last letter of the user name in the encrypted bytes, and the bits that make it the victim's. */
  readonly flip: { readonly at: number; readonly mask: number };
  /** Seals as the shop does, for this purpose. */
  seal(fields: readonly unknown[], purpose?: string): string;
}

const nonceBytes = 12;
const tagBytes = 16;

export function makeSealForge(token: string, ownFields: readonly unknown[], [newest]: KeyRing): SealForge {
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
