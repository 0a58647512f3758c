/** A request from another site, or one that pretends to come from this site. */
export interface CrossSiteRequest {
  readonly kind: 'Origin' | 'Sec-Fetch-Site' | 'a form' | 'X-Forwarded-Host';
  readonly what: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Status codes by which the shop refuses them: 403 for another site, 415 for a body type that a form can send. */
export const refusals = [403, 415];

/** Lists the requests to try. `host` is that of the system under attack. */
export function listCrossSiteRequests(host: string): readonly CrossSiteRequest[] {
  const [name = '', port = ''] = host.split(':');
  const origins = [
    'https://evil.example',
    'null',
    '',
    'http://',
    host,
    `http://${host}.evil.example`,
    `http://evil.example/${host}`,
    `http://${host}@evil.example`,
    `http://evil.example?${host}`,
    `http://evil-${host}`,
    `http://${name}:${Number(port) + 1}`,
    `http://${name}`,
    `http://${host} https://evil.example`,
    `https://evil.example, http://${host}`,
  ];
  const own = `http://${host}`;
  return [
    ...origins.map(origin => ({ kind: 'Origin' as const, what: `Origin: ${origin}`, headers: { origin } })),
    ...['cross-site', 'same-site', 'Cross-Site', '', 'same-origin, cross-site'].map(site => ({
      kind: 'Sec-Fetch-Site' as const,
      what: `Sec-Fetch-Site: ${site}`,
      headers: { 'sec-fetch-site': site },
    })),
    {
      kind: 'Sec-Fetch-Site',
      what: 'Sec-Fetch-Site: cross-site, own Origin',
      headers: { 'sec-fetch-site': 'cross-site', origin: own },
    },
    ...forms.map(type => ({ kind: 'a form' as const, what: `a form, ${type}`, headers: { 'content-type': type } })),
    ...forms.map(type => ({
      kind: 'a form' as const,
      what: `a form of a page without origin, ${type}`,
      headers: { 'content-type': type, origin: 'null' },
    })),
    {
      kind: 'X-Forwarded-Host',
      what: "the attacker's host in X-Forwarded-Host",
      headers: {
        origin: 'https://evil.example',
        'x-forwarded-host': 'evil.example',
        'x-original-host': 'evil.example',
      },
    },
  ];
}

/** Types that a form of another site can send without a preflight (CORS: simple requests). The body stays JSON. */
const forms = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain; application/json',
];
