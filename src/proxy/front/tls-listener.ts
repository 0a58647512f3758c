import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket, type TLSSocketOptions } from 'node:tls';
import type { TlsPair } from './tls-pair.js';

/** Mozilla's "intermediate" list: forward secrecy and authenticated encryption, and nothing else. */
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

/** `curl --http1.0` offers nothing but the second. */
const protocols = ['http/1.1', 'http/1.0'];

/** `gone`: closed before a byte came, as port checks do. */
export type Handshake =
  | { readonly kind: 'secure'; readonly socket: TLSSocket }
  | { readonly kind: 'failed' | 'late' | 'gone'; readonly socket?: undefined };

/** Turns accepted connections into TLS ones. Handshakes run side by side: none waits for another's client. */
export class TlsListener {
  #context: SecureContext;

  /** Throws what OpenSSL says of a pair that it cannot use. */
  constructor(pair: TlsPair) {
    this.#context = contextOf(pair);
  }

  /** For connections from now on, resumed sessions too: tickets of the old context open nothing here. Throws as above. */
  reload(pair: TlsPair): void {
    this.#context = contextOf(pair);
  }

  /** Calls `done` once; unless it is `late`, a connection that did not become secure is closed by then. */
  take(raw: Socket, withinMs: number, done: (handshake: Handshake) => void): void {
    const before = raw.bytesRead - raw.readableLength;
    const socket = new SecureSocket(raw, { isServer: true, secureContext: this.#context, ALPNProtocols: protocols });
    const finish = (handshake: Handshake): void => {
      clearTimeout(timer);
      socket.removeListener('secure', onSecure).removeListener('close', onClose).removeListener('end', onEnd);
      done(handshake);
    };
    const onSecure = (): void => finish({ kind: 'secure', socket });
    const onClose = (): void => finish({ kind: raw.bytesRead === before ? 'gone' : 'failed' });
    // Half a connection is no use yet.
    const onEnd = (): void => void socket.destroy();
    const timer = setTimeout(() => finish({ kind: 'late' }), withinMs);
    // It closes by itself then, and is counted as it does. Later ones are whoever's the connection is by then.
    socket.on('error', () => {});
    socket.on('secure', onSecure).on('close', onClose).on('end', onEnd);
  }
}

/**
 * A client that reads to the end of its connection must see that it was cut, and many do not mind that TLS was not ended
 * in order (RFC 9112 §9.8). Node resets nothing but plain sockets: so the one below is reset.
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

function contextOf({ cert, key, ticketKeys }: TlsPair): SecureContext {
  return createSecureContext({
    cert,
    key,
    ticketKeys,
    ciphers,
    minVersion: 'TLSv1.2',
    sessionIdContext: 'holdfast',
    // AES-128 first, which costs least where there are instructions for it; clients without put ChaCha20 first.
    honorCipherOrder: true,
    // A renegotiation costs the server ten times what it costs the client, and serves nobody (RFC 9325 §3.5 advises off).
    secureOptions: constants.SSL_OP_PRIORITIZE_CHACHA | constants.SSL_OP_NO_RENEGOTIATION,
  });
}
