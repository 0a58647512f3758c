import type { Target } from './target.js';

/** What was done to a token, and what came of it. */
type Forgery = readonly [what: string, forged: string];

/** The token with another version or key id, where it has one; everything else as it was. */
export function relabelled(strategy: Target['strategy'], token: string): readonly Forgery[] {
  if (strategy === 'sealed') return relabelledSeals(token);
  return strategy === 'jwt' ? relabelledJwts(token) : [];
}

function relabelledSeals(token: string): Forgery[] {
  const [version = '', key = '', ...body] = token.split('.');
  const versions = ['v0', 'v2', 'v10', 'V1', ''].map(
    other => [`version "${other}"`, [other, key, ...body].join('.')] as const,
  );
  const keys = [`${key}x`, 'other', '', '..'].map(
    other => [`key id "${other}"`, [version, other, ...body].join('.')] as const,
  );
  return [...versions, ...keys];
}

function relabelledJwts(token: string): Forgery[] {
  const [head = '', ...rest] = token.split('.');
  const header: Record<string, unknown> = JSON.parse(Buffer.from(head, 'base64url').toString());
  const headers = [
    ...['other', '', '../../dev/null', null].map(kid => ({ ...header, kid })),
    ...['JWT', 'refresh+jwt', ''].map(typ => ({ ...header, typ })),
  ];
  return headers.map(other => {
    const text = JSON.stringify(other);
    return [`the header ${text}`, [Buffer.from(text).toString('base64url'), ...rest].join('.')];
  });
}
