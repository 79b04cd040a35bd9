// The view of the products: found by words and merchant, and rendered some at a time.
import { count, h, money } from './dom.js';
import { picture } from './pictures.js';
import { limits, stock } from './words.js';

const screenful = 60;
let all = null;
let failed = false;
let bySKU = new Map();
let merchants = [];
let words = '';
let merchant = '';
let shown = screenful;

export async function load() {
  try {
    const answer = await fetch('catalog.json');
    if (!answer.ok) throw new Error(answer.statusText);
    all = await answer.json();
    failed = false;
  } catch {
    failed = true;
    return;
  }
  bySKU = new Map(all.map(product => [product.sku, product]));
  merchants = [...new Set(all.map(product => product.merchantId))];
  for (const product of all) product.words = `${product.name} ${product.sku} ${product.merchantId}`.toLowerCase();
}

export const isLoaded = () => all !== null;
export const product = sku => bySKU.get(sku);
export const merchantName = id => id.charAt(0).toUpperCase() + id.slice(1);

export function search(text) { [words, shown] = [text.trim().toLowerCase(), screenful]; }
export function filter(id) { [merchant, shown] = [id, screenful]; }
export function more() { shown += screenful; }
export const found = () => count(matches().length, 'product');

const matches = () => {
  const each = words.split(/\s+/);
  return all.filter(product => (!merchant || product.merchantId === merchant) &&
    each.every(word => product.words.includes(word)));
};

/** What a first click takes: the least that is sold. Later ones go on by the step. */
export function quantityToAdd(product, line) {
  const { minimumQuantity = 1, quantityStep = 1 } = product;
  return line ? quantityStep : Math.ceil(minimumQuantity / quantityStep) * quantityStep;
}

export function productsView(cart) {
  const head = [
    h('h1', { tabindex: -1 }, 'Products'),
    h('div', { class: 'tools', role: 'search' },
      h('label', { class: 'hidden', for: 'search' }, 'Find a product'),
      h('input', { id: 'search', type: 'search', placeholder: 'Find a product', value: words, data: { action: 'search' } }),
      merchants.length > 1 && filters()),
  ];
  if (failed) {
    return [...head, h('p', { class: 'empty' }, 'The list of products did not arrive. ',
      h('button', { data: { action: 'reload' } }, 'Try again'))];
  }
  if (!all) return [...head, skeleton()];
  const list = matches();
  if (!list.length) {
    return [...head, h('p', { class: 'empty' }, all.length ? 'No product fits. Other words, or all merchants, may do.'
      : 'The shop has no products yet. “cartctl catalog import FILE” brings some; they are here after a new start.')];
  }
  const lines = new Map(cart?.lines.map(line => [line.sku, line]));
  const part = list.slice(0, shown);
  const groups = merchants.filter(id => part.some(product => product.merchantId === id));
  return [...head,
    ...groups.map(id => h('section', { key: `of ${id}`, 'aria-label': merchantName(id) },
      h('h2', {}, merchantName(id)),
      h('ul', { class: 'products' }, part.filter(product => product.merchantId === id)
        .map(product => card(product, lines.get(product.sku), cart))))),
    list.length > part.length && h('p', { class: 'more' },
      h('span', {}, `${part.length} of ${count(list.length, 'product')}`),
      h('button', { data: { action: 'more-products' } }, 'Show more')),
  ];
}

function filters() {
  const options = ['', ...merchants];
  const name = id => id ? merchantName(id) : 'All';
  if (options.length > 9) {
    return [h('label', { class: 'hidden', for: 'merchant' }, 'Merchant'),
      h('select', { id: 'merchant', data: { action: 'filter' } },
        options.map(id => h('option', { value: id, selected: id === merchant }, name(id))))];
  }
  return h('div', { class: 'chips', role: 'group', 'aria-label': 'Merchant' }, options.map(id =>
    h('button', { data: { action: 'filter', merchant: id }, 'aria-pressed': String(id === merchant) }, name(id))));
}

function card(product, line, cart) {
  const current = line?.current;
  const price = current?.unitPrice ?? product.unitPrice;
  const left = stock(current ? current.availableQuantity : product.stock);
  const isElsewhere = cart?.currency && cart.currency !== product.currency;
  const now = Date.now();
  const isOff = left?.[1] === 'bad' || isElsewhere || Date.parse(product.availableFrom) > now ||
    Date.parse(product.availableUntil) < now;
  return h('li', { key: product.sku, class: isOff && 'off', data: { sku: product.sku } },
    picture(product),
    h('h3', {}, product.name),
    h('p', { class: 'tags' }, left && h('span', { class: `tag ${left[1]}` }, left[0]),
      limits(product).map(text => h('span', { class: 'tag' }, text)),
      isElsewhere && h('span', { class: 'tag' }, `Sold in ${product.currency}`)),
    h('p', { class: 'buy' },
      h('b', {}, price ? money(price, product.currency) : 'Free'),
      line && h('span', { class: 'soft' }, `${line.quantity.toLocaleString('en-GB')} in the cart`),
      h('button', { class: isOff ? '' : 'main', data: { action: 'add', sku: product.sku },
        'aria-label': `Add ${product.name}` }, 'Add')));
}

const skeleton = () => h('ul', { class: 'products skeleton', 'aria-label': 'Loading the products' },
  Array.from({ length: 8 }, () => h('li', {}, h('span', { class: 'picture' }))));
