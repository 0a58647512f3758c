import type { SideName, SideView } from '../protocol.js';

/** The part of the page's address after the `#`: `<token>`, `<token>&user=<name>` or `user=<name>`. */
export interface Fragment {
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
