import { expect } from 'chai';
import { generateSync } from 'otplib';
import type { FullAnswer, Member } from './member.js';

const stepMs = 30_000;

/** The authenticator app. Its codes are of the present step. They are good in the next one too, so that the step may
 * change meanwhile. */
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

/** Turns the second factor on, over HTTP. It uses the previous step, so the code of the present one is still good. */
export async function enrol(member: Member): Promise<Authenticator> {
  const { status, json } = await member.post('/account/totp', { nonce: await member.nonce() });
  expect(status, JSON.stringify(json)).to.equal(201);
  const authenticator = Authenticator.fromUri(json.uri);
  const { status: confirmed, json: answer } = await confirm(member, authenticator);
  expect([confirmed, answer]).to.deep.equal([200, { totp: true, ended: 0 }]);
  return authenticator;
}

/** Tries again if a new step began meanwhile: the code is too old then. */
async function confirm(member: Member, authenticator: Authenticator): Promise<FullAnswer> {
  const code = authenticator.code(-1);
  const answer = await member.post('/account/totp/confirm', { code, others: 'keep' });
  return answer.status === 401 && authenticator.code(-1) !== code ? confirm(member, authenticator) : answer;
}
