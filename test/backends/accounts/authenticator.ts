import { expect } from 'chai';
import { generateSync } from 'otplib';
import type { Member } from './member.js';

const stepMs = 30_000;

/** The authenticator app. Its codes are of the present and the next step, so that they are good if the step changes
 * meanwhile. */
export class Authenticator {
  readonly secret: string;

  constructor(secret: string) {
    this.secret = secret;
  }

  static fromUri(uri: unknown): Authenticator {
    const { protocol, host, searchParams } = new URL(String(uri));
    expect([protocol, host]).to.deep.equal(['otpauth:', 'totp']);
    return new Authenticator(searchParams.get('secret') ?? expect.fail('a URI without a secret'));
  }

  code(stepsAway = 0): string {
    return generateSync({ secret: this.secret, epoch: Math.floor((Date.now() + stepsAway * stepMs) / 1000) });
  }

  /** Returns a code that is wrong in the present and the neighbouring steps. */
  wrongCode(): string {
    const right = [-2, -1, 0, 1, 2].map(steps => this.code(steps));
    const wrong = ['000000', '111111', '222222', '333333', '444444', '555555'].find(code => !right.includes(code));
    return wrong ?? expect.fail('five codes are not six');
  }
}

/** Turns the second factor on, over HTTP. Its step is then used up, so the next code is of a later step. */
export async function enrol(member: Member): Promise<Authenticator> {
  const { status, json } = await member.post('/account/totp', { nonce: await member.nonce() });
  expect(status, JSON.stringify(json)).to.equal(201);
  const authenticator = Authenticator.fromUri(json.uri);
  const confirmed = await member.post('/account/totp/confirm', { code: authenticator.code() });
  expect([confirmed.status, confirmed.json]).to.deep.equal([200, { totp: true }]);
  return authenticator;
}
