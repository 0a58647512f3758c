import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket, type TLSSocketOptions } from 'node:tls';
import { HostMap } from '../hosts.js';
import type { TlsPair } from './tls-pair.js';

/** Mozilla's "intermediate" list: only forward secrecy with authenticated encryption. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** `curl --http1.0` offers only the second. */
const protocols = ['http/1.1', 'http/1.0'];
/** In order of preference. */
const protocolsWithHttp2 = ['h2', ...protocols];

/** The certificates of one port. */
export interface TlsPairs {
  /** The one for clients that name no host (SNI), or one without a certificate of its own. */
  readonly fallback: TlsPair;
  /** By host or pattern of hosts; see `HostMap`. */
  readonly byHost: ReadonlyMap<string, TlsPair>;
}

/** `gone`: closed before a byte came, as port checks do. */
export type Handshake =
  | { readonly kind: 'secure'; readonly socket: TLSSocket }
  | { readonly kind: 'failed' | 'late' | 'gone'; readonly socket?: undefined };

/** Turns accepted connections into TLS connections. Handshakes run in parallel: no slow client blocks another. */
export class TlsListener {
  #contexts: Contexts;
  readonly #protocols: string[];

  /** Throws OpenSSL's error for an unusable pair. `http2`: clients may choose HTTP/2. */
  constructor(pairs: TlsPairs, http2 = false) {
    this.#contexts = makeContexts(pairs);
    this.#protocols = http2 ? protocolsWithHttp2 : protocols;
  }

  /**
   * Applies to new connections, resumed sessions too: tickets of the old context are rejected. Throws as the
   * constructor does.
   */
  reload(pairs: TlsPairs): void {
    this.#contexts = makeContexts(pairs);
  }

  /** Calls `done` once. A connection that did not become secure is already closed then, unless it is `late`. */
  take(raw: Socket, withinMs: number, done: (handshake: Handshake) => void): void {
    const before = raw.bytesRead - raw.readableLength;
    const socket = new SecureSocket(raw, { isServer: true, ...this.#contexts, ALPNProtocols: this.#protocols });
    const finish = (handshake: Handshake): void => {
      clearTimeout(timer);
      socket.removeListener('secure', onSecure).removeListener('close', onClose).removeListener('end', onEnd);
      done(handshake);
    };
    const onSecure = (): void => {
      // `tls.Server` does this for its own sockets. HTTP/2 of Node does not begin before.
      if (socket.alpnProtocol === 'h2') Reflect.set(socket, 'secureConnecting', false);
      finish({ kind: 'secure', socket });
    };
    const onClose = (): void => finish({ kind: raw.bytesRead === before ? 'gone' : 'failed' });
    // A half-closed connection cannot finish its handshake.
    const onEnd = (): void => void socket.destroy();
    const timer = setTimeout(() => finish({ kind: 'late' }), withinMs);
    // The socket closes by itself after an error, and `onClose` counts it. The next owner handles later errors.
    socket.on('error', () => {});
    socket.on('secure', onSecure).on('close', onClose).on('end', onEnd);
  }
}

/**
 * A TLS socket whose reset reaches the plain socket below; Node resets only plain sockets. A client that reads to the
 * end must see that its connection was cut. Many clients accept a TLS connection that ended without a close_notify (RFC
 * 9112 §9.8).
 */
class SecureSocket extends TLSSocket {
  readonly #raw: Socket;

  constructor(raw: Socket, options: TLSSocketOptions) {
    super(raw, options);
    this.#raw = raw;
  }

  override resetAndDestroy(): this {
    this.#raw.resetAndDestroy();
    return this;
  }
}

type Contexts = Pick<TLSSocketOptions, 'secureContext' | 'SNICallback'>;

/** With one certificate the name that the client gives is not looked at. */
function makeContexts({ fallback, byHost }: TlsPairs): Contexts {
  const secureContext = makeContext(fallback);
  if (byHost.size === 0) return { secureContext };
  const contexts = new HostMap(
    new Map([...byHost].map(([host, pair]) => [host, makeContext(pair)] as const)),
    secureContext,
  );
  return { secureContext, SNICallback: (name, done) => done(null, contexts.find(name)) };
}

function makeContext({ cert, key, ticketKeys }: TlsPair): SecureContext {
  return createSecureContext({
    cert,
    key,
    ticketKeys,
    ciphers,
    minVersion: 'TLSv1.2',
    sessionIdContext: 'holdfast',
    // AES-128 comes first: it costs least with AES instructions. Clients without them put ChaCha20 first.
    honorCipherOrder: true,
    // A renegotiation costs the server ten times what it costs the client, and has no use (RFC 9325 §3.5 advises off).
    secureOptions: constants.SSL_OP_PRIORITIZE_CHACHA | constants.SSL_OP_NO_RENEGOTIATION,
  });
}
