import { isIP, type Server, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

/*
 * The sockets of the proxy: how it listens, how it connects to backends and names a failure, and how it joins two
 * sockets to a tunnel.
 */

/** A socket that another process opened and listens on: handed over by a predecessor, or a descriptor of systemd. */
export type OpenSocket = Server | { readonly fd: number };

/** The address on which a server listens. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** How many connections may wait to be accepted. */
const backlogMax = 4096;

/**
 * Listens on the open socket, or else binds the address. Resolves when the port is bound. Rejects with the system's
 * error (`EADDRINUSE`, `EACCES`).
 */
export function listenOn(server: Server, { host, port }: BoundAddress, open?: OpenSocket): Promise<BoundAddress> {
  return new Promise((resolve, reject) => {
    const onListening = (): void => resolve(addressOf(server, open === undefined ? host : undefined));
    // Never removed: a failed accept (too few file descriptors) also emits `error`, and would end the process.
    server.on('error', reject);
    if (open === undefined) server.listen({ port, host, backlog: backlogMax }, onListening);
    else server.listen(open, backlogMax, onListening);
  });
}

/** Formats the address as the beginning of a URL. */
export function formatOrigin(scheme: 'http' | 'https', { host, port }: BoundAddress): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** `given`: the host as it was asked for, which may be a name. */
function addressOf(server: Server, given: string | undefined): BoundAddress {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError(`listening on ${address}, not on a port`);
  return { host: given ?? address.address, port: address.port };
}

/** How certificates of `https:` backends are verified. */
export interface BackendTls {
  /** PEM; replaces Node's certificate authorities. */
  readonly ca: string | undefined;
  /** False: any certificate is accepted. */
  readonly rejectUnauthorized: boolean;
  /** The name sent as SNI, which the certificate must match; undefined: the host of the backend's URL. */
  readonly servername: string | undefined;
}

/** The host in the form that sockets need: an IPv6 address without brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/**
 * Options that engines and health checks add to `tls.connect`. `host` is the backend's host without brackets. Node's
 * own rule would take the name from the request's Host field. That is not used, because the client must not choose the
 * name. An address is not a name (RFC 6066 §3). No SNI is sent for it, and the certificate must be for the address.
 */
export function buildBackendTlsOptions(host: string, tls: BackendTls | undefined): ConnectionOptions {
  return {
    servername: tls?.servername ?? (isIP(host) === 0 ? host : ''),
    rejectUnauthorized: tls?.rejectUnauthorized ?? true,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
  };
}

/** Names a TLS failure before the first byte of a request, by RFC 9209 §2.3; undefined: not a TLS failure. */
export function classifyTlsFailure(code: unknown): 'tls_certificate_error' | 'tls_protocol_error' | undefined {
  if (typeof code !== 'string') return undefined;
  if (certificateCodes.has(code)) return 'tls_certificate_error';
  return code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')
    ? 'tls_protocol_error'
    : undefined;
}

/** Error codes for a rejected certificate: those of OpenSSL, and Node's own for a certificate of another host. */
const certificateCodes: ReadonlySet<string> = new Set([
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_TLS_CERT_ALTNAME_FORMAT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_CRL',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  'ERROR_IN_CERT_NOT_BEFORE_FIELD',
  'ERROR_IN_CERT_NOT_AFTER_FIELD',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'INVALID_CA',
  'PATH_LENGTH_EXCEEDED',
  'INVALID_PURPOSE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'HOSTNAME_MISMATCH',
]);

/** Errors for too few file descriptors, ports or buffers, or too little memory. */
const shortageCodes: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);
/** Errors for a connection that this machine forbids: by its firewall or its security module. */
const forbiddenCodes: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM']);

/** Whether this machine had no means to connect. The error then says nothing about the other machine. */
export function isShortage(error: unknown): boolean {
  return hasCodeOf(shortageCodes, error);
}

/** Whether this machine could not or may not connect. The error then says nothing about the other machine. */
export function isOwnFailure(error: unknown): boolean {
  return isShortage(error) || hasCodeOf(forbiddenCodes, error);
}

/**
 * A name with several addresses fails with the errors of all of them. Without IPv6, `localhost` fails with
 * `EADDRNOTAVAIL` for `::1` and with `ECONNREFUSED` for `127.0.0.1`: that is a refusal.
 */
function hasCodeOf(codes: ReadonlySet<unknown>, error: unknown): boolean {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.every(each => hasCodeOf(codes, each));
  return error instanceof Error && 'code' in error && codes.has(error.code);
}

/** Finds peers that vanished silently: nothing else ends an idle tunnel. */
const keepAliveMs = 30_000;

/** `whole`: the backend closed in order. `bytesIn` came from the client, `bytesOut` went to it. */
export type TunnelEnded = (whole: boolean, bytesIn: number, bytesOut: number) => void;

/**
 * Joins both sockets after a 101: bytes pass both ways. Each side may close its half at its own time, and the tunnel
 * ends when both have. It also ends when data waits for a side that reads nothing for `stallMs`. A silent tunnel with
 * no waiting data stays open. Calls `ended` once when both sides are closed. Neither socket may have other readers.
 */
export function joinTunnel(client: Socket, backend: Socket, stallMs: number, ended: TunnelEnded): void {
  const [readBefore, writtenBefore] = [client.bytesRead, client.bytesWritten];
  const end = () => ended(whole, client.bytesRead - readBefore, client.bytesWritten - writtenBefore);
  // Other backend connections close their half when the peer does. In a tunnel each end decides for itself.
  backend.allowHalfOpen = true;
  for (const side of [backend, client]) {
    side.removeAllListeners('timeout');
    // While this side stalls, the other side is not read, so its close would go unnoticed.
    // A callback of `setTimeout` would be called for the first silence only, and that one is harmless.
    side.on('timeout', () => side.writableLength > 0 && side.destroy());
    side.setTimeout(stallMs);
    side.setNoDelay(true);
    side.setKeepAlive(true, keepAliveMs);
  }
  let whole = true;
  backend.on('error', () => {
    whole = false;
  });
  backend.on('close', () => {
    if (client.closed) end();
    else client.destroySoon();
  });
  client.on('close', () => {
    if (backend.closed) end();
    else backend.destroySoon();
  });
  backend.pipe(client).pipe(backend);
}
