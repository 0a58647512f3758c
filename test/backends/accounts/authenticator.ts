import { expect } from 'chai';
import { generateSync } from 'otplib';
import type { Member } from './member.js';

const stepMs = 30_000;

/** The app with the codes. Those of this step and the next are good whenever the clock strikes meanwhile. */
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

  /** One of six digits that is right in none of the next steps. */
  wrongCode(): string {
    const right = [-2, -1, 0, 1, 2].map(steps => this.code(steps));
    const wrong = ['000000', '111111', '222222', '333333', '444444', '555555'].find(code => !right.includes(code));
    return wrong ?? expect.fail('five codes are not six');
  }
}

/** Turns the second factor on, over HTTP. Its step is used up: the next code is the one of a step later. */
export async function enrol(member: Member): Promise<Authenticator> {
  const { status, json } = await member.post('/account/totp', { nonce: await member.nonce() });
  expect(status, JSON.stringify(json)).to.equal(201);
  const authenticator = Authenticator.fromUri(json.uri);
  const confirmed = await member.post('/account/totp/confirm', { code: authenticator.code() });
  expect([confirmed.status, confirmed.json]).to.deep.equal([200, { totp: true }]);
  return authenticator;
}
