import { generateKeyPairSync } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { expect } from 'chai';
import { makeDevCertificate, readTlsPair, type TlsPair, TlsPairError } from '#src/proxy/front/tls-pair.js';
import { authority, issue, withFolder } from '../certificates.js';

/** Returns the messages about this pair of files, with CERT and KEY for their names. */
async function saidOf(
  cert: string,
  key: string,
  keyMode = 0o600,
): Promise<{ error?: string; warnings: readonly string[] }> {
  let said: { error?: string; warnings: readonly string[] } = { warnings: [] };
  await withFolder(write => {
    const certFile = write('cert.pem', cert);
    const keyFile = write('key.pem', key);
    chmodSync(keyFile, keyMode);
    const plain = (text: string) => text.replaceAll(certFile, 'CERT').replaceAll(keyFile, 'KEY');
    try {
      said = { warnings: readTlsPair({ certFile, keyFile }, Date.now()).warnings.map(plain) };
    } catch (error) {
      if (!(error instanceof TlsPairError)) throw error;
      said = { error: plain(error.message), warnings: [] };
    }
  });
  return said;
}

describe('TLS pair', () => {
  let ca: TlsPair;
  let own: TlsPair;
  let other: TlsPair;
  before(async () => {
    ca = await authority('Test authority');
    [own, other] = await Promise.all([issue(ca), issue(ca)]);
  });

  it('accepts a certificate with or without its chain', async () => {
    expect(await saidOf(own.cert, own.key)).to.deep.equal({ warnings: [] });
    expect(await saidOf(`${own.cert}\n${ca.cert}`, own.key)).to.deep.equal({ warnings: [] });
  });

  it('makes a usable certificate for this machine', async () => {
    const made = await makeDevCertificate();
    expect(await saidOf(made.cert, made.key)).to.deep.equal({ warnings: [] });
  });

  it('warns about a key that every user can read, a chain out of order, and a near expiry', async () => {
    const soon = await issue(ca, { toDay: 3 });
    const { error, warnings } = await saidOf(`${soon.cert}\n${other.cert}`, soon.key, 0o644);
    expect(error).to.equal(undefined);
    expect(warnings).to.have.length(3);
    expect(warnings[0]).to.match(/^the certificate CERT \(DNS:localhost, .*\) expires on .*: renew it$/);
    expect(warnings[1]).to.equal('the chain in CERT is out of order: certificate 2 did not issue certificate 1');
    expect(warnings[2]).to.equal('every user of this machine can read the key KEY: chmod 600 KEY');
  });

  it('does not warn about a key that its group can read', async () => {
    expect((await saidOf(own.cert, own.key, 0o640)).warnings).to.deep.equal([]);
  });

  it('explains a key of another certificate', async () => {
    const { error } = await saidOf(own.cert, other.key);
    expect(error).to.match(/^--tls-key "KEY" is not the key of the certificate in "CERT"/);
    expect(error).to.contain('openssl x509 -noout -pubkey -in CERT; openssl pkey -pubout -in KEY');
  });

  it('explains a chain in front of the certificate', async () => {
    const { error } = await saidOf(`${ca.cert}\n${own.cert}`, own.key);
    expect(error).to.contain('the key belongs to certificate 2 of it; put that one first');
  });

  it('explains wrong dates', async () => {
    const [late, early] = await Promise.all([issue(ca, { fromDay: -9, toDay: -1 }), issue(ca, { fromDay: 1 })]);
    expect((await saidOf(late.cert, late.key)).error).to.match(/expired on .*renew it/);
    expect((await saidOf(early.cert, early.key)).error).to.match(/is not valid before .*date -u/);
  });

  it('explains a missing certificate and a missing key', async () => {
    expect((await saidOf('', own.key)).error).to.contain('holds no certificate; expected PEM');
    expect((await saidOf(own.key, own.key)).error).to.contain('holds no certificate; expected PEM');
    const torn = own.cert.replace(/\n.{8}/, '\nAAAAAAAA');
    expect((await saidOf(torn, own.key)).error).to.contain('certificate 1 of it is broken');
    expect((await saidOf(own.cert, own.cert)).error).to.contain('--tls-key "KEY" holds no private key');
    expect((await saidOf(own.cert, '')).error).to.contain('--tls-key "KEY" holds no private key');
  });

  it('explains an encrypted key', async () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    });
    expect((await saidOf(own.cert, privateKey)).error).to.contain('openssl pkey -in KEY -out plain.key');
  });

  it('explains files that cannot be read', () =>
    withFolder(write => {
      const keyFile = write('key.pem', own.key);
      const missing = `${keyFile}.nowhere`;
      expect(() => readTlsPair({ certFile: missing, keyFile }, 0))
        .to.throw(TlsPairError, '--tls-cert')
        .with.property('message')
        .that.matches(/ENOENT.*ls -l /);
      expect(() => readTlsPair({ certFile: keyFile, keyFile: missing }, 0)).to.throw(TlsPairError, '--tls-key');
    }));
});
