import { type SideName, type SideView, sideNames } from '../protocol.js';
import { find, makeButton } from './dom.js';
import type { LabSides } from './lab-state.js';

/** The part of the page's address after the `#`: `<token>`, `<token>&user=<name>` or `user=<name>`. */
interface Fragment {
  /** Empty: the address has no token. */
  readonly token: string;
  /** The user whose dot is sought. */
  readonly user: string | undefined;
}

export function parseFragment(hash: string): Fragment {
  const parts = hash.replace(/^#/, '').split('&');
  const user = new URLSearchParams(parts.find(part => part.startsWith('user='))).get('user') ?? '';
  return { token: parts.find(part => !part.includes('=')) ?? '', user: user === '' ? undefined : user };
}

export function formatFragment({ token, user }: Fragment): string {
  return `#${[token, user && `user=${encodeURIComponent(user)}`].filter(Boolean).join('&')}`;
}

/** Only pages of the same origin hear it: same host name, same port. */
const channelName = 'holdfast-live';
const question = 'which token?';
const askEveryMs = 1_000;

/** Tells the token to further pages of this lab, which were opened without it. `isGood`: the lab accepts it now. */
export function shareToken(token: string, isGood: () => boolean): void {
  const channel = new BroadcastChannel(channelName);
  channel.addEventListener('message', ({ data }) => {
    if (data === question && isGood()) channel.postMessage({ token });
  });
}

/** Asks the open pages of this lab for the token until one tells it. `onSilence`: none has told it for a second. */
export function findToken(onSilence: () => void): Promise<string> {
  const channel = new BroadcastChannel(channelName);
  return new Promise(resolve => {
    const ask = (): void => channel.postMessage(question);
    const timer = setInterval(() => {
      onSilence();
      ask();
    }, askEveryMs);
    channel.addEventListener('message', ({ data }) => {
      if (typeof data?.token !== 'string') return;
      clearInterval(timer);
      channel.close();
      resolve(data.token);
    });
    ask();
  });
}

/**
 * Returns the address of the toy shop of one side. Undefined while there is none. A browser keeps one set of cookies for
 * each host name, whatever the port. So each side needs a host name of its own: otherwise the shop of one side would
 * replace the session in the other.
 */
export function shopAddress(side: SideName, { shopPort, stage }: SideView, user?: string): string | undefined {
  if (shopPort === undefined || stage !== 'running') return undefined;
  const origin = `http://${side === 'left' ? '127.0.0.1' : 'localhost'}:${shopPort}/`;
  return user === undefined ? origin : `${origin}#user=${encodeURIComponent(user)}`;
}

interface SoughtActions {
  /** Marks the dots of this user on both sides; undefined: of no user. */
  mark(user: string | undefined): void;
  scrollTo(side: SideName, user: string): void;
  openStory(side: SideName, user: string): void;
  say(sentence: string): void;
  /** The reader has closed the notice. */
  closed(): void;
}

/** The user that the address names. Its dot is marked, and a notice offers its story, or says that it has no dot. */
export class SoughtUser {
  readonly #place = find('#sought', HTMLElement);
  readonly #actions: SoughtActions;
  #name: string | undefined;
  /** The facts that the notice was made from. */
  #shown = '';
  #isScrolled = false;

  constructor(actions: SoughtActions) {
    this.#actions = actions;
  }

  get name(): string | undefined {
    return this.#name;
  }

  seek(name: string | undefined): void {
    this.#name = name;
    this.#shown = '';
    this.#isScrolled = false;
    this.#place.hidden = true;
    this.#actions.mark(name);
  }

  draw(sides: LabSides): void {
    const name = this.#name;
    if (name === undefined) return;
    const found = sideNames.filter(side => sides[side]?.view.users.some(user => user.name === name));
    const isStarting = sideNames.some(side => sides[side]?.view.stage === 'starting');
    const shown = `${found} ${isStarting}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const [first] = found;
    // The users of a new system have yet to come.
    this.#place.hidden = first === undefined && isStarting;
    if (this.#place.hidden) return;
    const sentence = describeFound(name, found);
    const stories = found.map(side =>
      makeButton(`Its story on the ${side}`, () => this.#actions.openStory(side, name)),
    );
    this.#place.replaceChildren(
      sentence,
      ...stories,
      makeButton('Close', () => this.#actions.closed()),
    );
    this.#actions.say(sentence);
    if (first === undefined || this.#isScrolled) return;
    this.#isScrolled = true;
    this.#actions.scrollTo(first, name);
  }
}

function describeFound(name: string, found: readonly SideName[]): string {
  if (found.length === 0) {
    return [
      `No simulated user is called ${name}, so ${name} has no dot.`,
      'The live lab shows and counts only simulated users.',
      'The page of the shop tells what happens to your own session.',
    ].join(' ');
  }
  return `The dot of ${name} is marked on ${found.length === 2 ? 'both sides' : `the ${found[0]} side`}.`;
}
