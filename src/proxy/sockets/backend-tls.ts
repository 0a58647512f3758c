import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

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
