// The view of the products: found by words and merchant, and rendered some at a time.
import { capital, count, figure, h, heading, money, tags } from './dom.js';
import { picture } from './pictures.js';
import { isOffSale, limits, stock } from './words.js';

const screenful = 60;
let all = null;
let isMissing = false;
let bySKU = new Map();
let merchants = [];
let [words, merchant, shown] = ['', '', screenful];

export async function load() {
  if (all) return;
  const answer = await fetch('catalog.json').catch(() => null);
  isMissing = !answer?.ok;
  if (isMissing) return;
  all = await answer.json();
  bySKU = new Map(all.map(product => [product.sku, product]));
  merchants = [...new Set(all.map(product => product.merchantId))];
  for (const product of all) product.words = `${product.name} ${product.sku} ${product.merchantId}`.toLowerCase();
}

export const bySku = sku => bySKU.get(sku);
export const search = text => [words, shown] = [text.trim().toLowerCase(), screenful];
export const filter = id => [merchant, shown] = [id, screenful];
export const more = () => shown += screenful;
export const found = () => count(matches().length, 'product');

const matches = () => all?.filter(product => (!merchant || product.merchantId === merchant) &&
  words.split(/\s+/).every(word => product.words.includes(word))) ?? [];

/** What a click takes: at first the least that is sold, later the step. */
export const quantityToAdd = ({ minimumQuantity = 1, quantityStep = 1 }, line) =>
  line ? quantityStep : Math.ceil(minimumQuantity / quantityStep) * quantityStep;

export function productsView(cart) {
  const list = matches();
  const lines = new Map(cart?.lines.map(line => [line.sku, line]));
  const part = list.slice(0, shown);
  const of = id => part.filter(product => product.merchantId === id);
  return [
    heading('Products'),
    h('div', { class: 'tools', role: 'search' },
      h('input', { id: 'search', type: 'search', 'aria-label': 'Find products or a merchant', value: words, action: 'search',
        placeholder: 'Find products or a merchant' }),
      merchants.length > 1 && merchants.length < 13 && filters()),
    merchants.filter(id => of(id).length).map(id => h('section', { key: `of ${id}`, 'aria-label': capital(id) },
      h('h2', {}, capital(id)),
      h('ul', { class: 'products' }, of(id).map(product => card(product, lines.get(product.sku), cart))))),
    list.length > part.length && h('p', { class: 'more' }, `${part.length} of ${count(list.length, 'product')}`,
      h('button', { action: 'more-products' }, 'Show more')),
    !list.length && h('p', { class: 'empty' }, isMissing ? 'The list of products did not arrive. Load the page again.'
      : !all ? 'Loading the products…' : all.length ? 'No product fits. Try other words, or all merchants.'
      : 'The shop has no products yet. “cartctl catalog import FILE” brings some; they are here after a new start.'),
  ].flat();
}

const filters = () => h('div', { class: 'chips', role: 'group', 'aria-label': 'Merchant' }, ['', ...merchants].map(id =>
  h('button', { action: 'filter', merchant: id, 'aria-pressed': `${id === merchant}` }, id ? capital(id) : 'All')));

function card(product, line, cart) {
  // What the list knows is as old as the page's start; what the cart knows is not.
  const { unitPrice, availableQuantity: left } = line?.current ?? { ...product, availableQuantity: product.stock };
  const { sku, name, currency } = product;
  const isElsewhere = cart?.currency && cart.currency !== currency;
  const isOff = left === 0 || isElsewhere || isOffSale(product);
  return h('li', { key: sku, sku, class: isOff && 'off' },
    picture(product),
    h('h3', {}, name),
    tags([stock(left), ...limits(product).map(text => [text]), isElsewhere && [`Sold in ${currency}`]]),
    h('p', { class: 'buy' },
      h('b', {}, unitPrice ? money(unitPrice, { currency }) : 'Free'),
      line && h('span', { class: 'soft' }, `${figure(line.quantity)} in the cart`),
      h('button', { class: !isOff && 'main', action: 'add', sku, 'aria-label': `Add ${name}` }, 'Add')));
}
