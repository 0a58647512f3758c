import type { Member } from '../pool/member.js';
import type { Claims } from './affinity-cookie.js';

/** The known facts about one token. */
export interface Learned {
  readonly owner: Member;
  /** `browser` is the key of the token. */
  readonly claims: Claims;
  /** See `Binding.mustNotify`. */
  readonly mustNotify: boolean;
  /** A backend has sent the token. */
  readonly issued: boolean;
  /** A client has sent the token. */
  readonly returned: boolean;
}

/** A learnt binding that is sent to another process. Plain data. */
export interface HandedBinding extends Omit<Learned, 'owner'> {
  /** The host of its pool. */
  readonly host: string;
  /** The identity of the backend. Its name may be another one in the other process. */
  readonly owner: string;
}

/**
 * Tokens of each group. An entry takes about 200 bytes. A client can invent any number of tokens, and a bot can take any
 * number without returning one. Neither may push out the tokens of users.
 */
export const entriesMax = {
  /** Issued by a backend and returned by a client. */
  confirmed: 100_000,
  /** Issued and not yet returned. */
  fresh: 50_000,
  /** Returned, but not issued while this proxy was there. */
  claimed: 50_000,
} as const;

type Group = keyof typeof entriesMax;
/** The entry used longest ago comes first. */
type Entries = Map<string, Learned>;

/** Maps the hash of a token to its backend. Bounded: each group forgets the token that was unused for longest. */
export class LearnedBindings {
  readonly #max: Readonly<Record<Group, number>>;
  readonly #groups: Readonly<Record<Group, Entries>> = { confirmed: new Map(), fresh: new Map(), claimed: new Map() };

  constructor(max: Readonly<Record<Group, number>> = entriesMax) {
    this.#max = max;
  }

  find(key: string): Learned | undefined {
    const { confirmed, fresh, claimed } = this.#groups;
    return confirmed.get(key) ?? fresh.get(key) ?? claimed.get(key);
  }

  /** Returns all entries. In each group the one used longest ago comes first. */
  list(): readonly Learned[] {
    return Object.values(this.#groups).flatMap(entries => [...entries.values()]);
  }

  /** Stores the entry as the one used last in its group. */
  set(learned: Learned): void {
    const key = learned.claims.browser;
    this.#remove(key);
    const group = chooseGroup(learned);
    const entries = this.#groups[group];
    entries.set(key, learned);
    if (entries.size > this.#max[group]) for (const first of entries.keys()) return void this.forget(first);
  }

  /** Adds what another process has learnt. */
  adopt(learned: Learned): void {
    const { browser, seenMs } = learned.claims;
    this.find(browser)?.owner.bound.forget(browser);
    // A bot that never returns its token must not keep a drain open.
    if (learned.returned) learned.owner.bound.see(browser, seenMs);
    this.set(learned);
  }

  /** Forgets the token. Its browser is no longer bound. */
  forget(key: string): void {
    this.find(key)?.owner.bound.forget(key);
    this.#remove(key);
  }

  #remove(key: string): void {
    for (const entries of Object.values(this.#groups)) entries.delete(key);
  }
}

function chooseGroup({ issued, returned }: Learned): Group {
  if (!issued) return 'claimed';
  return returned ? 'confirmed' : 'fresh';
}
