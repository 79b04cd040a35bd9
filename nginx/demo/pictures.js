// Pictures: drawn by what a product's name says, or its first letter; one of its own that does load lies over that.
import { h } from './dom.js';

// By whole words of the name: the first in the list that is there counts, and its first word names the picture.
const matchers = text => text.trim().split(/\s+/).map(words =>
  [words.split('|')[0], new RegExp(`(?<!\\p{L})(${words})s?(?!\\p{L})`, 'u')]);
const kinds = matchers(`towel blanket|fabric rug hammock lamp|schreibtischlampe|leuchtmittel|lantern trowel|planter
  tray|seedling packet|seed can|watering twine|ribbon canes knife wreath|christmas jar|lindenhonig|jam
  bottle|holzpflegeöl soap lavender|flower candle|light calendar pen|pencil envelope|letter book|notebook|atlas|soup
  card teapot whisk chime cup|mug|bowl tin|tea|sencha|matcha stool|hocker hook|wandhaken pot bag|purse gift|box|set|kit`);
const colours = matchers(`stone|grey|silver|planter|knife clay|red|copper|terracotta
  leaf|green|grün|matcha|tea|sencha|seed|tomato|garden sun|gold|yellow|lindenhonig|beeswax|kraft|bamboo
  plum|lavender|purple|pink|rose sea|blue|glass|linen`);
const broken = new Set();

export function picture({ sku, name, picture: address }) {
  const words = name.toLowerCase();
  const find = list => list.find(([, pattern]) => pattern.test(words))?.[0];
  const hash = Array.from(sku).reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7);
  const kind = find(kinds);
  return h('span', { class: `picture ${find(colours) ?? colours[hash % colours.length][0]}` },
    h('svg', { viewBox: '0 0 120 90', 'aria-hidden': 'true' },
      h('ellipse', { cx: 60, cy: 75, rx: 36, ry: 4 }),
      kind ? h('use', { href: `pictures.svg#${kind}` }) : h('text', { x: 60, y: 64 }, Array.from(name)[0]?.toUpperCase())),
    // What the example catalogue names below /p/ are the drawn ones; another site's are not allowed by the page's policy.
    /^(data:|\/(?!p\/))/.test(address) && !broken.has(address) && h('img', { src: address, alt: '', loading: 'lazy' }));
}

// `error` does not bubble. What is no picture leaves the drawn one to be seen.
document.addEventListener('error', ({ target }) => {
  if (!target.matches?.('.picture img')) return;
  broken.add(target.getAttribute('src'));
  target.remove();
}, true);
