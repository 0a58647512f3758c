import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** Makes an RSA key of the attacker with a certificate that only the attacker signed. */
export async function makeOwnCertificate(): Promise<{ readonly key: KeyObject; readonly certificate: string }> {
  // Loaded only when needed: few attacks use a certificate, and it takes a while to load.
  const { default: selfsigned } = await import('selfsigned');
  const { private: key, cert } = await selfsigned.generate([{ name: 'commonName', value: 'attacker.example' }], {
    keySize: 2048,
  });
  return { key: createPrivateKey(key), certificate: new X509Certificate(cert).raw.toString('base64') };
}
