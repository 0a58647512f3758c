/** How a request of another site looks; or of one that wants to be taken for this one. */
export interface CrossSiteRequest {
  readonly what: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How the shop refuses them: another site; a body of a type that a form can have. */
export const refusals = [403, 415];

/** `host`: of the system under attack. */
export function guises(host: string): readonly CrossSiteRequest[] {
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
    ...origins.map(origin => ({ what: `Origin: ${origin}`, headers: { origin } })),
    ...['cross-site', 'same-site', 'Cross-Site', '', 'same-origin, cross-site'].map(site => ({
      what: `Sec-Fetch-Site: ${site}`,
      headers: { 'sec-fetch-site': site },
    })),
    { what: 'Sec-Fetch-Site: cross-site, own Origin', headers: { 'sec-fetch-site': 'cross-site', origin: own } },
    ...forms.map(type => ({ what: `a form, ${type}`, headers: { 'content-type': type } })),
    ...forms.map(type => ({
      what: `a form of a page without origin, ${type}`,
      headers: { 'content-type': type, origin: 'null' },
    })),
    {
      what: 'a host of the attacker that the proxy is told of',
      headers: {
        origin: 'https://evil.example',
        'x-forwarded-host': 'evil.example',
        'x-original-host': 'evil.example',
      },
    },
  ];
}

/** What a form of another site can send without asking (CORS calls them simple requests); the body stays JSON. */
const forms = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain; application/json',
];
