import { expect } from 'chai';
import { nameConfig } from '#src/simulator/cluster/boot-proxies.js';
import { readStates } from '#src/simulator/cluster/external/external-admin.js';
import {
  canDrain,
  commandFor,
  type ExternalProxy,
  parseTemplate,
  readTemplate,
  renderTemplate,
  type TemplateView,
} from '#src/simulator/cluster/external/external-proxy.js';
import { ScenarioError } from '#src/simulator/errors.js';

const view: TemplateView = {
  name: 'proxy',
  mode: 'sticky',
  host: '127.0.0.1',
  port: 8080,
  'admin-port': 8081,
  'run-dir': '/tmp/run',
  secret: 'a&b<c>',
  root: false,
  affinity: true,
  'name-backends': false,
  'health.path': '/health',
  'health.every-ms': 250,
  'health.timeout-ms': 300,
  'health.fall': 2,
  'health.rise': 1,
  'health.down-s': 1,
  'drain-ms': 1000,
  maxconn: false,
  queue: false,
  'queue-timeout-ms': 5000,
  backends: [
    { name: 'backend-1', id: 1, host: '127.0.0.1', port: 3001, draining: false, spare: false },
    { name: 'backend-2', id: 2, host: '127.0.0.1', port: 3002, draining: true, spare: false },
  ],
};

const rows: readonly (readonly [what: string, template: string, text: string])[] = [
  ['a value', 'listen {{host}}:{{port}};', 'listen 127.0.0.1:8080;'],
  ['a value with a dot in its name', 'GET {{health.path}}', 'GET /health'],
  ['text as it is: a configuration is no HTML', 'key {{secret}}', 'key a&b<c>'],
  ['single braces as they are', 'http { $x {http.vars} {{port}} }', 'http { $x {http.vars} 8080 }'],
  [
    'a section for each backend, in which the names are those of the backend',
    '{{#backends}}\nserver {{name}} {{port}}{{#draining}} down{{/draining}} {{health.fall}};\n{{/backends}}\n',
    'server backend-1 3001 2;\nserver backend-2 3002 down 2;\n',
  ],
  ['a section that is off as nothing', 'a{{#maxconn}} {{maxconn}}{{/maxconn}}{{^maxconn}} none{{/maxconn}}', 'a none'],
];

const mistakes: readonly (readonly [what: string, template: string, said: RegExp])[] = [
  ['an unknown name', 'a\nlisten {{prot}};', /^own\.tmpl:2: found \{\{prot\}\}, expected one of .*\{\{port\}\}/],
  ['an unknown section', '\n\n{{#servers}}x{{/servers}}', /^own\.tmpl:3: found \{\{#servers\}\}/],
  ['an unknown name of a backend', '{{#backends}}\n{{weight}}\n{{/backends}}', /^own\.tmpl:2: found \{\{weight\}\}/],
  ['a name of a backend outside of the section', '{{draining}}', /^own\.tmpl:1: found \{\{draining\}\}/],
  ['a section that is not closed', 'a\n{{#backends}}', /^own\.tmpl:2: found Unclosed section "backends"/],
  ['a part from another file', '{{> other}}', /^own\.tmpl:1: found \{\{>/],
  ['other delimiters', '{{=<% %>=}}', /^own\.tmpl:1: found \{\{=/],
];

describe('the template of a configuration', () => {
  for (const [what, template, text] of rows)
    it(`fills in ${what}`, () => {
      expect(renderTemplate(parseTemplate(template, 'own.tmpl'), view)).to.equal(text);
    });

  for (const [what, template, said] of mistakes)
    it(`refuses ${what}, with file and line`, () => {
      expect(() => parseTemplate(template, 'own.tmpl')).to.throw(ScenarioError, said);
    });

  for (const [what, file, said] of [
    ['is not there', '/no/such.tmpl', /cannot be read .*, expected the template of a configuration\.$/],
    ['has no end', '/dev/zero', /found something that is not a file, expected the template of a configuration\.$/],
  ] as const)
    it(`is refused when its file ${what}`, () => {
      expect(() => readTemplate(file)).to.throw(ScenarioError, said);
    });

  it('lists what it uses, so that a setting that it does not follow is noticed', () => {
    const { uses } = parseTemplate('{{port}}{{#backends}}{{port}}{{#draining}}x{{/draining}}{{/backends}}', 'own.tmpl');
    expect([...uses]).to.have.members(['port', 'backends', 'backends.port', 'backends.draining']);
  });
});

const external: ExternalProxy = {
  name: 'own',
  command: 'own {config}',
  directory: "/srv/it's",
  ready: { withinMs: 1_000 },
  env: { KEY: '{secret}' },
};
const draining = parseTemplate('{{#backends}}{{^draining}}{{port}}{{/draining}}{{/backends}}', 'own.tmpl');
const plain = parseTemplate('{{#backends}}{{port}}{{/backends}}', 'own.tmpl');

describe('an external proxy', () => {
  for (const [template, name] of [
    ['/srv/haproxy.cfg.tmpl', 'haproxy.cfg'],
    ['/srv/Caddyfile', 'Caddyfile'],
    ["/srv/our $(touch it)'s.conf", 'our---touch-it--s.conf'],
  ] as const)
    it(`is given the configuration of ${template} as ${name}, one word for a shell`, () => {
      expect(nameConfig(template)).to.equal(name);
    });

  for (const [can, what, has] of [
    [true, 'with a command for it', { setDrain: 'drain {backend}' }],
    [true, 'with a reload and a template that knows draining', { reload: 'reload', config: draining }],
    [false, 'with a reload alone', { reload: 'reload', config: plain }],
    [false, 'that cannot be reloaded', { config: draining }],
  ] as const)
    it(`${can ? 'drains' : 'does not drain'} a backend ${what}`, () => {
      expect(canDrain({ ...external, ...has })).to.equal(can);
    });

  it('runs a command in its folder and with its variables, whatever characters they have', () => {
    const place = { name: 'proxy', port: 1, adminPort: 2, runDirectory: '/r', secret: "s'", config: '/c' };
    const command = commandFor(external, 'kill -HUP {pid} # {backend}', place, { pid: '7', backend: 'backend-1' });
    expect(command).to.match(
      /^cd '\/srv\/it'\\''s' && \{ export PATH=.*export KEY='s'\\'''; kill -HUP 7 # backend-1\n\}$/,
    );
  });

  it('reads the states that a command prints, and ignores other lines', () => {
    const text = '# pxname,svname\nbackend-1 ready 3\nbackend-2 down\nbackend-3 unknown\n  \n';
    expect(readStates(text)).to.deep.equal([
      { name: 'backend-1', state: 'ready', inFlight: 3 },
      { name: 'backend-2', state: 'down', inFlight: 0 },
    ]);
  });
});
