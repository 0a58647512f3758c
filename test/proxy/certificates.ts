import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generate } from 'selfsigned';
import type { TlsPair } from '#src/proxy/front/tls-pair.js';

const dayMs = 24 * 3_600_000;

/** Makes a certificate authority. */
export async function authority(name: string): Promise<TlsPair> {
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, digitalSignature: true, critical: true },
    ],
  });
  return { cert: made.cert, key: made.private };
}

export interface Wanted {
  readonly names?: readonly string[];
  readonly addresses?: readonly string[];
  readonly fromDay?: number;
  readonly toDay?: number;
}

/** Issues a server certificate; the days are counted from now. */
export async function issue(
  signer: TlsPair,
  { names = ['localhost'], addresses = ['127.0.0.1'], fromDay = -1, toDay = 90 }: Wanted = {},
): Promise<TlsPair> {
  const made = await generate([{ name: 'commonName', value: names[0] ?? 'unnamed' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca: { cert: signer.cert, key: signer.key },
    notBeforeDate: new Date(Date.now() + fromDay * dayMs),
    notAfterDate: new Date(Date.now() + toDay * dayMs),
    extensions: [
      { name: 'basicConstraints', cA: false },
      {
        name: 'subjectAltName',
        altNames: [
          ...names.map(value => ({ type: 2 as const, value })),
          ...addresses.map(ip => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  return { cert: made.cert, key: made.private };
}

/** Runs `use` with a temporary folder. `write` returns the whole path; only this user may read the file. */
export async function withFolder(use: (write: (name: string, text: string) => string) => Promise<void> | void) {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-tls-'));
  try {
    await use((name, text) => {
      const file = path.join(folder, name);
      writeFileSync(file, text, { mode: 0o600 });
      return file;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
