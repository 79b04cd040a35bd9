// The demo page: lists the catalogue and works the cart through /v1. Data reach the page as text, never as markup.
'use strict';

const $ = id => document.getElementById(id);
let products = [];
let cart = null;

/** An element with properties, among them `data` for data-* attributes, and children; a string child becomes text. */
function element(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'data') Object.assign(node.dataset, value);
    else if (key.startsWith('aria-')) node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...children.filter(child => child !== null));
  return node;
}

/** An amount in minor units; the exponent is the cart's own, or else what the browser knows of the currency. */
function money(amount, currency, minorUnit) {
  const format = new Intl.NumberFormat(undefined, { style: 'currency', currency });
  return format.format(amount / 10 ** (minorUnit ?? format.resolvedOptions().maximumFractionDigits));
}

function say(text, bad = false) {
  $('message').textContent = text;
  $('message').classList.toggle('bad', bad);
}

// --- requests: one at a time, so that fast clicks arrive in their order ---------------------------------------------

let queue = Promise.resolve();

function inTurn(task) {
  queue = queue.then(task).catch(error => say(error.message, true));
  return queue;
}

function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}

const pause = seconds => new Promise(resolve => setTimeout(resolve, seconds * 1000));

/** Sends a request; a change whose outcome is unknown is repeated under the same key, which has no second effect. */
async function send(method, path, body) {
  const headers = {};
  if (method !== 'GET') headers['Idempotency-Key'] = randomKey();
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  for (let attempt = 1; ; attempt++) {
    let answer = null;
    try {
      answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    } catch {
      if (attempt === 3) throw new Error('The shop does not answer. Please try again.');
    }
    if (answer && (![502, 503, 504].includes(answer.status) || attempt === 3)) return answer;
    await pause(Number(answer?.headers.get('Retry-After')) || attempt);
  }
}

/** Makes a change and shows the cart that comes back; says what happened, or why it did not. */
function change(method, path, body, done) {
  return inTurn(async () => {
    const answer = await send(method, path, body);
    const content = await answer.json();
    if (answer.ok) {
      show(content);
      say(content.merge ? merged(content.merge) : done);
    } else {
      if (content.cart) show(content.cart);
      else if (cart) show(cart);
      say(refusal(content), true);
    }
  });
}

function refresh() {
  return inTurn(async () => {
    const answer = await send('GET', '/v1/cart');
    const content = await answer.json();
    if (!answer.ok) return say(refusal(content), true);
    show(content);
    if (content.merge) say(merged(content.merge));
  });
}

const reasons = {
  not_purchasable: 'is not for sale', out_of_stock: 'is sold out', insufficient_stock: 'is not there in that number',
  purchase_limit: 'is limited for each order', customer_limit: 'is limited for each customer',
  minimum_quantity: 'is sold from a minimum on', quantity_step: 'is sold in steps',
  not_on_sale_yet: 'is not on sale yet', no_longer_on_sale: 'is no longer on sale',
  unknown_sku: 'is not in the catalogue', currency_mismatch: 'is in another currency than the cart',
  invalid_quantity: 'cannot be had in that quantity', total_too_large: 'makes the total too large',
};

/** One problem or error of the API as a sentence. */
function reason(problem) {
  const line = cart?.lines.find(line => line.sku === problem.sku);
  const name = line?.snapshot.name ?? products.find(product => product.sku === problem.sku)?.name ?? problem.sku;
  const facts = ['requested', 'available', 'limit'].filter(key => problem[key] !== undefined && problem[key] !== null)
    .map(key => `${key} ${problem[key]}`);
  return `${name ?? 'This'} ${reasons[problem.code] ?? problem.code}${facts.length ? ` (${facts.join(', ')})` : ''}.`;
}

function refusal(content) {
  const known = (content.errors ?? []).filter(error => reasons[error.code] && error.sku);
  return known.length ? known.map(reason).join(' ') : content.detail || content.title || content.code || 'Refused.';
}

function merged(merge) {
  if (merge.pending) return 'The guest cart will be added later.';
  return `The guest cart came along: ${merge.lines.map(l => `${l.sku} ${l.outcome} (${l.quantity})`).join(', ') || 'it was empty'}.`;
}

// --- the cart -------------------------------------------------------------------------------------------------------

const linePath = sku => `/v1/cart/lines/${encodeURIComponent(sku)}`;

function show(newCart) {
  cart = newCart;
  const focus = document.activeElement?.dataset.focus;
  const amount = value => money(value, cart.currency, cart.minorUnit);
  const filled = cart.lines.length > 0;
  $('empty').hidden = filled;
  $('filled').hidden = !filled;
  $('count').textContent = cart.counts.quantity;
  check($('all'), cart.counts.selectedLines, cart.counts.lines);
  $('acknowledge').hidden = !cart.lines.some(line => line.priceChange);
  $('remove-selected').disabled = cart.counts.selectedLines === 0;
  $('lines').replaceChildren(...cart.merchants.map(merchant => showMerchant(merchant, amount)));
  $('problems').replaceChildren(...cart.problems.map(problem => element('li', { className: 'bad' }, reason(problem))));
  $('total').textContent = filled
    ? `Checked: ${amount(cart.totals.selected)} for ${cart.counts.selectedQuantity} of ${cart.counts.quantity}` : '';
  // What was in use is built anew; whoever works by keyboard stays where they were, or at the cart if it is gone.
  if (focus) (document.querySelector(`[data-focus="${CSS.escape(focus)}"]:not([hidden])`) ?? $('cart')).focus();
}

function check(box, some, all) {
  box.checked = all > 0 && some === all;
  box.indeterminate = some > 0 && some < all;
}

function showMerchant(merchant, amount) {
  const box = element('input', { type: 'checkbox', data: { focus: `merchant ${merchant.merchantId}` } });
  check(box, { all: 2, some: 1 }[merchant.selection] ?? 0, 2);
  box.onchange = () => change('PUT', '/v1/cart/selection', { selected: box.checked, merchantId: merchant.merchantId },
    `${merchant.merchantId}: ${box.checked ? 'checked' : 'unchecked'}.`);
  const lines = cart.lines.filter(line => line.merchantId === merchant.merchantId);
  return element('section', { 'aria-label': merchant.merchantId },
    element('h3', {}, element('label', {}, box, ` ${merchant.merchantId}`)),
    element('ul', { className: 'lines' }, ...lines.map(line => showLine(line, amount))),
    element('p', { className: 'soft' }, `Checked: ${amount(merchant.selectedTotal)}`));
}

function showLine(line, amount) {
  const { sku, quantity, snapshot } = line;
  const name = snapshot.name;
  const path = linePath(sku);
  const control = (kind, properties) => ({ data: { focus: `${kind} ${sku}` }, ...properties });
  const box = element('input', control('check', { type: 'checkbox', checked: line.selected, 'aria-label': `Check ${name}` }));
  box.onchange = () => change('PATCH', path, { selected: box.checked }, `${name}: ${box.checked ? 'checked' : 'unchecked'}.`);
  const step = line.extraData.quantityStep ?? 1;
  const stepper = (sign, label) => element('button', control(label, {
    type: 'button', 'aria-label': `${label} ${name}`,
    onclick: () => change('PATCH', path, { delta: sign * step }, `${name}: ${label}.`),
  }), sign > 0 ? '+' : '−');
  const number = element('input', control('quantity', {
    type: 'number', min: 0, max: 1000000, step: 1, value: quantity, required: true, 'aria-label': `Quantity of ${name}`,
  }));
  number.onchange = () => {
    if (number.reportValidity()) change('PATCH', path, { quantity: number.valueAsNumber }, `${name}: ${number.value}.`);
  };
  const remove = element('button', control('remove', {
    type: 'button', 'aria-label': `Remove ${name}`, onclick: () => change('DELETE', path, undefined, `${name} removed.`),
  }), 'Remove');
  return element('li', {}, box,
    element('span', {}, name, ...marks(line, amount)),
    element('strong', {}, amount(line.lineTotal)),
    element('span', { className: 'row' }, stepper(-1, 'less of'), number, stepper(1, 'more of'), remove));
}

/** What a shopper should know of a line: its price and how it moved, what is left, whether it can be bought. */
function marks(line, amount) {
  const texts = [[`${amount(line.current?.unitPrice ?? line.snapshot.unitPrice)} each`, 'soft']];
  if (line.priceChange) {
    const up = line.priceChange.direction === 'increase';
    texts.push([`${up ? '▲ up' : '▼ down'} from ${amount(line.priceChange.from)}`, up ? 'bad' : 'good']);
  }
  const { stock, purchaseLimit, customerLimit, minimumQuantity, quantityStep } = line.extraData;
  if (!line.current?.purchasable) texts.push(['not for sale now', 'bad']);
  if (stock === 'out') texts.push(['sold out', 'bad']);
  if (stock === 'low' || stock === 'insufficient') texts.push([`only ${line.current?.availableQuantity} left`, 'bad']);
  if (purchaseLimit) texts.push([`at most ${purchaseLimit} an order`, 'soft']);
  if (customerLimit) texts.push([`at most ${customerLimit} a customer`, 'soft']);
  if (minimumQuantity) texts.push([`from ${minimumQuantity}`, 'soft']);
  if (quantityStep) texts.push([`in steps of ${quantityStep}`, 'soft']);
  return texts.map(([text, className]) => element('span', { className }, ` · ${text}`));
}

// --- the catalogue --------------------------------------------------------------------------------------------------

/** A picture for a product that has none: its first letter on a colour of its own. */
function picture(product) {
  const hue = Array.from(product.sku).reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  const svg = (name, attributes, text = '') => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.textContent = text;
    return node;
  };
  const image = svg('svg', { viewBox: '0 0 160 90', 'aria-hidden': 'true', preserveAspectRatio: 'xMidYMid slice' });
  image.append(svg('rect', { width: 160, height: 90, fill: `hsl(${hue} 45% 72%)` }),
    svg('text', { x: 80, y: 62, 'text-anchor': 'middle', 'font-size': 48, fill: `hsl(${hue} 60% 22%)` },
      Array.from(product.name)[0] ?? '?'));
  return image;
}

function showProduct(product) {
  const add = element('button', {
    type: 'button', 'aria-label': `Add ${product.name}`,
    onclick: () => change('POST', '/v1/cart/lines', { sku: product.sku, quantity: firstQuantity(product) },
      `${product.name} added.`),
  }, 'Add');
  return element('li', {}, picture(product), element('span', {}, product.name),
    element('span', { className: 'soft' }, `${money(product.unitPrice, product.currency)} · ${product.sku}`), add);
}

/** A product that is sold from a minimum on starts with it, and goes on by its step. */
function firstQuantity(product) {
  const there = cart?.lines.some(line => line.sku === product.sku);
  return there ? product.quantityStep ?? 1 : Math.max(product.minimumQuantity ?? 1, product.quantityStep ?? 1);
}

function showProducts() {
  const words = $('search').value.trim().toLowerCase();
  const found = products.filter(product => `${product.name} ${product.sku}`.toLowerCase().includes(words));
  const merchants = [...new Set(found.map(product => product.merchantId))];
  $('products').replaceChildren(...merchants.map(merchant => element('section', { 'aria-label': merchant },
    element('h3', {}, merchant),
    element('ul', { className: 'products' },
      ...found.filter(product => product.merchantId === merchant).map(showProduct)))));
  if (!found.length) $('products').replaceChildren(element('p', {}, 'No products.'));
}

// --- the shopper: the cookie demoUser, which only the demo's nginx takes at its word --------------------------------

function currentUser() {
  return document.cookie.split('; ').find(part => part.startsWith('demoUser='))?.slice('demoUser='.length) ?? '';
}

function showUser() {
  const user = currentUser();
  $('login').hidden = user !== '';
  $('logout').hidden = user === '';
  $('who').textContent = user;
}

function logIn() {
  const user = $('user').value.trim();
  if (!user || /[;\p{Cc}]/u.test(user) || new TextEncoder().encode(user).length > 128) {
    return say('A user is 1 to 128 bytes without a semicolon.', true);
  }
  document.cookie = `demoUser=${user}; path=/; SameSite=Lax`;
  showUser();
  say(`Logged in as ${user}.`);
  refresh();
}

function logOut() {
  document.cookie = 'demoUser=; path=/; max-age=0; SameSite=Lax';
  showUser();
  say('Logged out.');
  refresh();
}

// --- start ----------------------------------------------------------------------------------------------------------

function onSubmit(id, act) {
  $(id).addEventListener('submit', event => {
    event.preventDefault();
    act();
  });
}

onSubmit('login', logIn);
onSubmit('logout', logOut);
$('search').addEventListener('input', showProducts);
$('all').addEventListener('change', () =>
  change('PUT', '/v1/cart/selection', { selected: $('all').checked, all: true }, $('all').checked ? 'All checked.' : 'None checked.'));
$('acknowledge').addEventListener('click', () => change('POST', '/v1/cart/prices/acknowledge', {}, 'The new prices are accepted.'));
$('remove-selected').addEventListener('click', () =>
  change('DELETE', '/v1/cart/lines?selected=true', undefined, 'What was checked is removed.'));
$('clear').addEventListener('click', () => change('DELETE', '/v1/cart', undefined, 'The cart is empty now.'));
window.addEventListener('focus', refresh);

showUser();
refresh();
inTurn(async () => {
  products = await (await fetch('catalog.json')).json();
  showProducts();
});
