import { expect } from 'chai';
import { planPoolChange } from '#src/proxy/control/reload.js';

interface Given {
  readonly name: string;
  readonly url: URL;
  readonly host: string;
  readonly identity: string;
}

function backend(name: string, host: string, port: number, identity?: string): Given {
  const url = new URL(`http://127.0.0.1:${port}`);
  return { name, url, host, identity: identity ?? url.origin };
}

describe('change of the pools at a reload', () => {
  const added = backend('shop:backend-1', 'shop', 1);

  it('adopts a backend that the admin API added to the pool of the same host', () => {
    const named = backend('shop:other', 'shop', 1);
    const change = planPoolChange([added], { added: [named], removed: [] });
    expect(change).to.deep.equal({ joining: [], leaving: [], adopted: [named] });
  });

  it('adds a backend to another host, although one has that address already', () => {
    const named = backend('blog:backend-1', 'blog', 1);
    const change = planPoolChange([added], { added: [named], removed: [] });
    expect(change).to.deep.equal({ joining: [named], leaving: [], adopted: [] });
  });

  it('removes a backend from the pool of its host only', () => {
    const elsewhere = backend('blog:backend-1', 'blog', 1);
    const change = planPoolChange([added, elsewhere], { added: [], removed: [elsewhere] });
    expect(change).to.deep.equal({ joining: [], leaving: [elsewhere], adopted: [] });
  });

  it('exchanges a backend that gets a name of its own, and lets the pool name one whose name is taken', () => {
    const red = backend('shop:red', 'shop', 1, 'red');
    const exchange = planPoolChange([added], { added: [red], removed: [] });
    expect(exchange).to.deep.equal({ joining: [red], leaving: [added], adopted: [] });
    const unnamed = backend('shop:backend-1', 'shop', 2);
    const renamed = planPoolChange([added], { added: [unnamed], removed: [] });
    expect(renamed).to.deep.equal({ joining: [{ ...unnamed, name: undefined }], leaving: [], adopted: [] });
  });
});
