import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { messageOf } from '../../shared/text.js';

/** A certificate and its key, as PEM. The chain may follow the server's own certificate. Plain data. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
  /** 48 bytes that encrypt session tickets. Processes with the same bytes resume each other's sessions. */
  readonly ticketKeys?: Buffer;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** An unusable certificate or key. The message says which one, why, and what to type. */
export class TlsPairError extends Error {
  override readonly name = 'TlsPairError';
}

/** A certificate that ends sooner than this gets a warning. */
const soonMs = 14 * 24 * 3_600_000;
const othersMayRead = 0o004;

/** Reads both files. Throws `TlsPairError`; returns warnings for what should be fixed. `nowMs`: wall clock. */
export function readTlsPair(
  { certFile, keyFile }: TlsFiles,
  nowMs: number,
): { readonly pair: TlsPair; readonly warnings: readonly string[] } {
  const cert = readPem(certFile, '--tls-cert');
  const key = readPem(keyFile, '--tls-key');
  const warnings = checkTlsPair({ cert, key }, { certFile, keyFile }, nowMs);
  const open = (statSync(keyFile).mode & othersMayRead) !== 0;
  const advice = `every user of this machine can read the key ${keyFile}: chmod 600 ${keyFile}`;
  return { pair: { cert, key }, warnings: open ? [...warnings, advice] : warnings };
}

/** Checks the pair. The file names are used in messages only. */
function checkTlsPair(pair: TlsPair, { certFile, keyFile }: TlsFiles, nowMs: number): readonly string[] {
  const [own, ...others] = parseCertificates(pair.cert, certFile);
  const key = parseKey(pair.key, keyFile);
  if (own === undefined) throw new TlsPairError(`--tls-cert "${certFile}" holds no certificate; ${expectedCert}`);
  if (!own.checkPrivateKey(key)) throw new TlsPairError(describeMismatch(own, others, key, { certFile, keyFile }));
  checkDates(own, certFile, nowMs);
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new TlsPairError(
      `--tls-cert "${certFile}" cannot be used by OpenSSL: ${messageOf(error)}; have a new one issued`,
    );
  }
  return [...warnIfExpiring(own, certFile, nowMs), ...warnIfChainBroken([own, ...others], certFile)];
}

const expectedCert = 'expected PEM (-----BEGIN CERTIFICATE-----), the own certificate first, then its chain';
const expectedKey = 'expected PEM (-----BEGIN PRIVATE KEY-----)';

function readPem(file: string, flag: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const advice = code === 'EACCES' ? `let this user read it: ls -l ${file}` : `look at the path: ls -l ${file}`;
    throw new TlsPairError(`${flag} "${file}": ${messageOf(error)}; ${advice}`);
  }
}

function parseCertificates(pem: string, file: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new TlsPairError(
        `--tls-cert "${file}": certificate ${index + 1} of it is broken: ${messageOf(error)}; ${expectedCert}`,
      );
    }
  });
}

function parseKey(pem: string, file: string): KeyObject {
  if (/-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED/.test(pem)) {
    throw new TlsPairError(
      `--tls-key "${file}" is encrypted, and Holdfast cannot ask for a passphrase; remove it: ` +
        `openssl pkey -in ${file} -out plain.key && chmod 600 plain.key`,
    );
  }
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new TlsPairError(`--tls-key "${file}" holds no private key: ${messageOf(error)}; ${expectedKey}`);
  }
}

function describeMismatch(
  own: X509Certificate,
  others: readonly X509Certificate[],
  key: KeyObject,
  { certFile, keyFile }: TlsFiles,
): string {
  const at = others.findIndex(certificate => certificate.checkPrivateKey(key));
  if (at !== -1) {
    return `--tls-cert "${certFile}": the key belongs to certificate ${at + 2} of it; put that one first, its chain behind it`;
  }
  return (
    `--tls-key "${keyFile}" is not the key of the certificate in "${certFile}" (${nameOf(own)}); ` +
    `these two must print the same: openssl x509 -noout -pubkey -in ${certFile}; openssl pkey -pubout -in ${keyFile}`
  );
}

function checkDates(own: X509Certificate, file: string, nowMs: number): void {
  const what = `--tls-cert "${file}" (${nameOf(own)})`;
  if (Date.parse(own.validTo) <= nowMs) {
    throw new TlsPairError(
      `${what} expired on ${own.validTo}: every client would refuse it; renew it (certbot renew …)`,
    );
  }
  if (Date.parse(own.validFrom) > nowMs) {
    throw new TlsPairError(`${what} is not valid before ${own.validFrom}; look at this machine's clock: date -u`);
  }
}

function warnIfExpiring(own: X509Certificate, file: string, nowMs: number): string[] {
  if (Date.parse(own.validTo) - nowMs > soonMs) return [];
  return [`the certificate ${file} (${nameOf(own)}) expires on ${own.validTo}: renew it`];
}

/**
 * Warns about a broken chain. Clients without the missing link refuse it; browsers often have it, which hides the
 * problem.
 */
function warnIfChainBroken(chain: readonly X509Certificate[], file: string): string[] {
  return chain.slice(0, -1).flatMap((certificate, index) => {
    const next = chain[index + 1];
    if (next === undefined || certificate.checkIssued(next)) return [];
    return [`the chain in ${file} is out of order: certificate ${index + 2} did not issue certificate ${index + 1}`];
  });
}

function nameOf(certificate: X509Certificate): string {
  return (certificate.subjectAltName ?? certificate.subject).replaceAll('\n', ', ');
}

let devCertificate: Promise<TlsPair> | undefined;

/**
 * Returns a self-signed certificate for this machine's own names, for trying out TLS. It exists in memory only, one per
 * process. Clients must be told to accept it (`curl --insecure`).
 */
export function makeDevCertificate(): Promise<TlsPair> {
  devCertificate ??= generateDevCertificate();
  return devCertificate;
}

/** Loads the generator only when it is needed. */
async function generateDevCertificate(): Promise<TlsPair> {
  const { default: selfsigned } = await import('selfsigned');
  const pems = await selfsigned.generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  return { cert: pems.cert, key: pems.private };
}
