import { generateSecret, generateURI, verifySync } from 'otplib';

/**
 * Time-based one-time passwords as RFC 6238 has them and authenticator apps expect them: SHA-1, 6 digits, steps of
 * 30 s. One step of tolerance to either side, for clocks that differ and for the time that typing takes (section 5.2):
 * a code is good for up to 90 s, and three of a million are right at any time.
 */
const stepSeconds = 30;
const toleranceSeconds = stepSeconds;
const issuer = 'Holdfast shop';

/** 160 random bits in Base32, the length of RFC 4226 section 4. */
export function newSecret(): string {
  return generateSecret({ length: 20 });
}

/** The time step that `code` belongs to; undefined when it is not right now. */
export function stepOf(secret: string, code: string, nowMs: number): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const epoch = Math.floor(nowMs / 1000);
  const result = verifySync({ secret, token: code, epoch, epochTolerance: toleranceSeconds });
  return result.valid && 'timeStep' in result ? result.timeStep : undefined;
}

export interface Enrolment {
  readonly uri: string;
  /** The URI as a QR code, as a `data:` URL. */
  readonly picture: string;
}

export async function enrolment(user: string, secret: string): Promise<Enrolment> {
  const uri = generateURI({ issuer, label: user, secret });
  // Few users ever ask for one: a backend starts without it.
  const { default: qrcode } = await import('qrcode');
  const svg = await qrcode.toString(uri, { type: 'svg', errorCorrectionLevel: 'M' });
  return { uri, picture: `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}` };
}
