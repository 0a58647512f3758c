import type { TlsPair } from './tls-pair.js';

let made: Promise<TlsPair> | undefined;

/**
 * Returns a self-signed certificate for this machine's own names, for trying out TLS. It exists in memory only, one per
 * process. Clients must be told to accept it (`curl --insecure`).
 */
export function makeDevCertificate(): Promise<TlsPair> {
  made ??= make();
  return made;
}

/** Loads the generator only when it is needed. */
async function make(): Promise<TlsPair> {
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
