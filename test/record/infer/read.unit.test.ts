import { expect } from 'chai';
import { findAll } from '#src/record/infer/place.js';
import type { RecordedExchange } from '#src/record/recording.js';
import { expectJourney, inferWith } from './drive.js';
import { cookie, exchange, type PassValues, passesOf, plain, type Steps } from './exchanges.js';

describe('inferJourney', () => {
  describe('finds the items on a page', () => {
    const page = (body: string) => ({
      text: `<!doctype html><title>Shop</title><nav><ul><li>Home</li></ul></nav>${body}`,
    });
    const shop = (show: (it: PassValues) => string, add: (it: PassValues) => RecordedExchange[]): Steps => ({
      ...plain,
      login: it => [
        exchange(
          'POST /login',
          { form: { user: it.user, pw: 'secret' } },
          { status: 302, location: '/', cookies: [`sid=${it.cookie}`] },
        ),
        exchange('GET /cart', { headers: cookie(it) }, page(`<h1>${it.user}</h1>`)),
      ],
      add,
      read: it => [exchange('GET /cart', { headers: cookie(it) }, page(`<h1>${it.user}</h1>${show(it)}`))],
    });
    const post = (it: PassValues) => [
      exchange('POST /cart', { form: { sku: it.item }, headers: cookie(it) }, { status: 303, location: '/cart' }),
    ];
    const toLogin = [exchange('GET /cart', {}, { status: 302, location: '/login' })];
    const rows = (row: (item: string, i: number) => string) => ({
      row,
      of: (items: readonly string[]) => items.map(row).join(''),
    });

    for (const [title, list] of [
      ['in a list', rows(item => `<li class="line"><b>${item}</b></li>`)],
      ['in a table with row numbers', rows((item, i) => `<tr id="r${i}"><td>${i + 1}</td><td>${item}</td></tr>`)],
      ['in blocks within blocks', rows(item => `<div>${item}</div>`)],
      ['in plain blocks', rows(item => `<div class="row"><span>${item}</span><a href="/del/${item}">x</a></div>`)],
      ['in attributes', rows(item => `<input type="text" name="line[]" value="${item}">`)],
      ['with the value before the name', rows(item => `<input value="${item}" name="line[]">`)],
      ['on lines', rows(item => `<p>\n  ${item}\n</p>`)],
      ['in data of a script', rows(item => `<script type="application/json">{"sku":"${item}","n":1}</script>`)],
      ['beside a catalogue', rows(item => `<em>hf-item-1</em> <em>hf-item-2</em> <li><i>${item}</i></li>`)],
    ] as const)
      it(title, () => {
        const written = expectJourney(
          inferWith(
            passesOf(
              shop(it => `<div id="cart">${list.of([it.item])}</div>`, post),
              toLogin,
            ),
          ),
        );
        const { regexp = '' } = typeof written.read.items === 'string' ? {} : written.read.items;
        // The rows of other carts: each item is found, and nothing else.
        const others = ['user-7.1.ab12cd34ef56', 'user-7.2.ab12cd34ef56', 'user-7.3.ab12cd34ef56'];
        expect(findAll(page(`<h1>user-7</h1><div id="cart">${list.of(others)}</div>`).text, regexp)).to.deep.equal(
          others,
        );
      });

    it('asks when a message shows the item too', () => {
      const show = (it: PassValues) =>
        `<div class="flash">Added <b>${it.item}</b></div><ul class="cart"><li>${it.item} <i>x</i></li></ul>`;
      const passes = passesOf(shop(show, post), toLogin);
      const labels: string[] = [];
      const written = expectJourney(
        inferWith(passes, all => labels.push(...all) && all.findIndex(label => label.includes('<li>'))),
      );
      expect(labels).to.have.length(2);
      expect(written.read.items).to.deep.equal({ regexp: '<li>([^\\s<>"\']+) ' });
    });

    it('takes an add by a link', () => {
      const get = (it: PassValues) => [
        exchange(`GET /add/${it.item}?n=1`, { headers: cookie(it) }, { status: 302, location: '/cart' }),
      ];
      const written = expectJourney(
        inferWith(
          passesOf(
            shop(it => `<ul><li class="x">${it.item}</li></ul>`, get),
            toLogin,
          ),
        ),
      );
      expect(written.add.request).to.deep.equal({ GET: '/add/{token}?n=1' });
    });

    for (const [title, change, problem] of [
      [
        'when the menu has the same tags',
        (it: PassValues) => `<ul><li>${it.item}</li></ul>`,
        /nothing around it tells the items/,
      ],
      [
        'when only the list has a name, and not its rows',
        (it: PassValues) => `<p>x</p><div id="cart"><p>${it.item}</p></div>`,
        /nothing around it tells the items/,
      ],
    ] as const)
      it(`refuses to guess ${title}`, () => {
        const empty = page('<p>x</p><div id="cart"></div>');
        const steps = shop(change, it => [exchange('GET /cart', { headers: cookie(it) }, empty), ...post(it)]);
        const inferred = inferWith(passesOf(steps, toLogin));
        expect(inferred.kind === 'problem' ? inferred.problem : inferred).to.match(problem);
      });

    it('refuses a page without the name of the user', () => {
      const nameless = { ...shop(it => `<i class="x">${it.item}</i>`, post) };
      const read = (it: PassValues) => [
        exchange('GET /cart', { headers: cookie(it) }, page(`<i class="x">${it.item}</i>`)),
      ];
      const inferred = inferWith(passesOf({ ...nameless, read }, toLogin));
      expect(inferred.kind === 'problem' ? inferred.problem : inferred).to.match(/shows the item but not the user/);
    });
  });
});
