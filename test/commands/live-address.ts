import type { Holdfast } from './holdfast.js';

/** Resolves with the port and the token that `holdfast live` prints. */
export async function addressOf(holdfast: Holdfast): Promise<{ readonly port: number; readonly token: string }> {
  const address = /^open this address: http:\/\/127\.0\.0\.1:(\d+)\/#(\S+)$/m;
  await holdfast.sees(address);
  const [, port, token = ''] = address.exec(holdfast.output.stdout) ?? [];
  return { port: Number(port), token };
}
