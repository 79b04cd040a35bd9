// Pictures: drawn by kind, as a product's name tells it, or its first letter; a picture that does load lies over that.
import { h } from './dom.js';

const kinds = Object.entries({
  candles: /candles/, towel: /towel/, blanket: /blanket|throw|scarf/, rug: /\brug\b|doormat/, swatches: /fabric|sample/,
  hammock: /hammock/, lamp: /lamp(?!e27)|lantern|light holder/, bulb: /leuchtmittel|bulb (?!plant)|fairy light/,
  trowel: /planter|trowel|spade/, tray: /seed tray|seedling/, packet: /seeds/, can: /watering/, twine: /twine|yarn|ribbon/,
  canes: /cane/, knife: /knife|cutlery/, wreath: /wreath|christmas/, jar: /honey|honig|\bjar|jam/, bottle: /öl\b|oil(?! soap)|bottle/,
  soap: /soap/, lavender: /lavender|flower/, candle: /candle|t-?light/, voucher: /voucher/, reader: /e-book/,
  calendar: /calendar/, notebook: /notebook|journal/, pen: /\bpens?\b|pencil/, envelope: /envelope|letter|writing/,
  globe: /globe/, book: /atlas|soup|book/, card: /\bcards?\b|playing/, teapot: /teapot|kettle/, bowl: /matcha|bowl|plate/,
  whisk: /whisk/, chime: /chime/, tin: /\btins?\b|tea,|\btea\b(?! cup)|sencha/, cup: /cup|mug/, stool: /hocker|stool|chair/,
  hook: /haken|hook|hanger/, pot: /\bpot\b/, bag: /\bbags?\b|shopper|purse/, heart: /heart|love/,
  frame: /frame|sign\b|clock|mirror/, beads: /necklace|bracelet|earring|bead/, gift: /gift|\bbox|\bset\b|wrap|kit\b/,
});

const colours = Object.entries({
  stone: /grey|bulb|planter|knife|silver|metal/, clay: /red|copper|clay|terracotta|pot\b/, leaf: /green|grün|matcha|tea|seed|garden/,
  sun: /gold|honey|honig|yellow|beeswax|kraft|bamboo|natural/, plum: /lavender|purple|pink|rose/, sea: /blue|glass|linen/,
});
const palettes = colours.map(([name]) => name);
const broken = new Set();

export function picture({ sku, name, picture }) {
  const words = name.toLowerCase();
  const find = list => list.find(([, pattern]) => pattern.test(words))?.[0];
  const hash = Array.from(sku).reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7);
  const kind = find(kinds);
  const drawn = h('svg', { viewBox: '0 0 120 90', 'aria-hidden': 'true' },
    h('ellipse', { cx: 60, cy: 75, rx: 36, ry: 4 }),
    kind ? h('use', { href: `pictures.svg#${kind}` })
      : h('text', { x: 60, y: 64, 'text-anchor': 'middle' }, Array.from(name)[0].toUpperCase()));
  // The pictures below /p/ that the example catalogue names are the drawn ones.
  const given = picture && !picture.startsWith('/p/') && !broken.has(picture) && h('img', { src: picture, alt: '', loading: 'lazy' });
  return h('span', { class: `picture ${find(colours) ?? palettes[hash % palettes.length]}` }, drawn, given);
}

// `error` does not bubble. What is no picture, or not allowed by the page's policy, leaves the drawn one to be seen.
document.addEventListener('error', ({ target }) => {
  if (!target.matches?.('.picture img')) return;
  broken.add(target.getAttribute('src'));
  target.remove();
}, true);
