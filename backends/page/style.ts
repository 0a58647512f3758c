/** The style sheet. Its colours, light and dark, have a contrast of at least 4.5 : 1 against their background. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f4f3ef; --card: #ffffff; --line: #dcd9d0; --ink: #22231f; --faint: #64655d;
  --accent: #1f5fae; --on-accent: #ffffff;
  --good: #e3f1e5; --good-edge: #2f7d3b; --trouble: #fdf0d2; --trouble-edge: #a86a00; --lost: #fbe2de; --lost-edge: #b3261e;
  --b0: #1f5fae; --b1: #8a4b00; --b2: #6a3fa0; --b3: #0b6e69; --b4: #a3265c; --b5: #4f6212;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #17181a; --card: #212326; --line: #3a3d42; --ink: #eceae4; --faint: #a5a69f;
    --accent: #8ab8f5; --on-accent: #10233b;
    --good: #1d3022; --good-edge: #6fbf7d; --trouble: #372c13; --trouble-edge: #e3a93f; --lost: #3c1f1c; --lost-edge: #f28b82;
    --b0: #8ab8f5; --b1: #e8ab6a; --b2: #c3a4f0; --b3: #6fcdc6; --b4: #f29abf; --b5: #b9cf6d;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 3rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 0 0 .9rem; font-size: 1.05rem; }
h3 { margin: 1.3rem 0 .5rem; font-size: .85rem; font-weight: 600; color: var(--faint); }
header p { margin: .2rem 0 1.2rem; color: var(--faint); }
.story { margin: 0 0 1rem; padding: .9rem 1.1rem; border-radius: .6rem; border-left: .35rem solid var(--edge);
  background: var(--tint); font-size: 1.1rem; min-height: 3.5rem; overflow-wrap: anywhere; }
[data-mood=good] { --tint: var(--good); --edge: var(--good-edge); }
[data-mood=trouble] { --tint: var(--trouble); --edge: var(--trouble-edge); }
[data-mood=lost] { --tint: var(--lost); --edge: var(--lost-edge); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem 1.2rem 1.3rem; min-width: 0; }
.wide { grid-column: 1 / -1; }
.apart { column-gap: 2.5rem; }
.apart > div { min-width: 0; }
.apart > div > h3:first-child { margin-top: 0; }
a { color: var(--accent); }
.faint { color: var(--faint); margin: 0; }
.hint { margin: .8rem 0 0; font-size: .85rem; }
label { display: block; margin: .7rem 0 .2rem; font-size: .85rem; color: var(--faint); }
input { width: 100%; min-width: 0; padding: .5rem .6rem; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--faint); border-radius: .4rem; }
button { white-space: nowrap; padding: .5rem .9rem; font: inherit; color: var(--accent); background: transparent; border: 1px solid currentColor; border-radius: .4rem; cursor: pointer; }
button:hover { background: color-mix(in srgb, var(--accent) 12%, transparent); }
button:disabled { color: var(--faint); cursor: progress; }
.main { margin-top: 1rem; width: 100%; background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.main:hover { background: color-mix(in srgb, var(--accent) 85%, var(--ink)); }
:focus-visible { outline: .2rem solid var(--accent); outline-offset: .12rem; }
.greeting, .row, .cart li { display: flex; gap: .6rem; align-items: center; justify-content: space-between; }
.greeting p { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.cart, .goods, .turns, .log { list-style: none; margin: 0; padding: 0; }
.cart li { padding: .3rem 0; border-bottom: 1px solid var(--line); }
.cart span { overflow-wrap: anywhere; min-width: 0; }
.cart small { margin-left: .6rem; color: var(--faint); }
.cart button, .cart strong { flex: none; }
.cart strong { font-size: .85rem; }
.cart button { padding: .2rem .6rem; font-size: .9rem; }
.spaced { margin-top: .8rem; }
.choice { display: flex; align-items: center; gap: .4rem; }
.choice input { width: auto; }
#picture { display: block; background: #fff; border: 1px solid var(--line); border-radius: .4rem; margin-top: .8rem; }
#key { font-size: 1.05rem; overflow-wrap: anywhere; }
#code:not([hidden]) + #login { display: none; }
.goods { display: flex; flex-wrap: wrap; gap: .5rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .45rem 1.2rem; margin: 0; align-items: baseline; }
dt { color: var(--faint); font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.badge { font-size: 1.3rem; font-weight: 650; color: var(--hue, var(--faint)); }
.turns { display: flex; flex-wrap: wrap; gap: .25rem; min-height: 1.6rem; }
.turns li { min-width: 1.5rem; height: 1.5rem; padding: 0 .3rem; border-radius: .3rem; font-size: .8rem; line-height: 1.5rem; text-align: center;
  font-variant-numeric: tabular-nums; background: var(--hue, var(--faint)); color: var(--card); }
[data-hue="0"] { --hue: var(--b0); } [data-hue="1"] { --hue: var(--b1); } [data-hue="2"] { --hue: var(--b2); }
[data-hue="3"] { --hue: var(--b3); } [data-hue="4"] { --hue: var(--b4); } [data-hue="5"] { --hue: var(--b5); }
.turns .none { background: transparent; color: var(--lost-edge); box-shadow: inset 0 0 0 .1rem var(--lost-edge); }
.log { max-height: 20rem; overflow-y: auto; }
.log li { display: grid; grid-template-columns: 5rem minmax(0, 1fr); gap: .8rem; padding: .4rem .6rem; border-left: .2rem solid var(--edge); margin-bottom: .3rem; }
.log time { color: var(--faint); font-variant-numeric: tabular-nums; }
.log span { overflow-wrap: anywhere; }
@media (max-width: 30rem) { .log li { grid-template-columns: 1fr; gap: 0; } }
`;
