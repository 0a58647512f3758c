import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { Certificate } from './peer.js';
import { isOnPath } from './processes.js';

/** Makes a self-signed P-256 certificate, the usual kind today. Undefined where there is no openssl. */
export function makeCertificate(folder: string): Certificate | undefined {
  if (!isOnPath('openssl')) return undefined;
  const [certFile, keyFile] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  execFileSync('openssl', ['req', ...kind, ...names, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
  return { certFile, keyFile };
}
