// The example shop: which view is shown, and what its controls do. Each control names that in data-action; one that can
// do nothing now is `aria-disabled`, so that it keeps the focus and can say why.
import { Cart } from './v1/cart.js';
import { cartView } from './cart-view.js';
import { capital, figure, h, money, patch } from './dom.js';
import { checkoutView, differences, orderView, ordersView, review } from './orders.js';
import * as products from './products.js';
import * as words from './words.js';

const user = () => /(?:^|; )demoUser=([^;]*)/.exec(document.cookie)?.[1] ?? '';
const $ = id => document.getElementById(id);
const main = $('main');
const cart = new Cart();

let route = readHash();
/** What the view has fetched or is about: orders, an order, or a checkout. */
let page = {};
/** The id of the order that was placed last, and what became of the guest's cart. */
let [placed, merge] = [null, null];
/** Whose page this was when last seen. */
let shopper = user();
/** Whether the shop did not answer of late; whether an answer is long in coming. */
let [isAway, isSlow] = [false, false];
const isReadOnly = () => cart.source === 'database';

// --- what is said

let forgetting;

function say(text, isBad = false) {
  clearTimeout(forgetting);
  $('message').replaceChildren(text);
  $('message').className = isBad ? 'bad' : '';
  if (!isBad) forgetting = setTimeout(() => say(''), 8000);
}

const lineOf = sku => cart.state?.lines.find(line => line.sku === sku);

const nameOf = sku => lineOf(sku)?.snapshot.name ?? products.bySku(sku)?.name ?? sku;

function fail(error) {
  if (error.code === 'shopper_changed') return;
  isAway = !error.status || error.status >= 500;
  if (isAway) lookAgain();
  say(words.error(error, nameOf), true);
}

/** Does what takes a while; undefined if it failed. A cart that it changes shows itself by an event. */
async function work(task, done) {
  const slow = setTimeout(() => render(isSlow = true), 2500);
  try {
    const result = await task();
    isAway = false;
    if (done) say(done);
    return result;
  } catch (error) {
    fail(error);
  } finally {
    clearTimeout(slow);
    isSlow = false;
    render();
  }
}

let looking = null;

/** Asks for the cart until the shop answers as usual. */
function lookAgain(seconds = 3) {
  looking ??= setTimeout(async () => {
    const wasAway = isAway;
    await cart.refresh().then(() => isAway = false, () => {});
    looking = null;
    if (isAway || isReadOnly() || merge?.pending) lookAgain(Math.min(seconds * 1.5, 20));
    else if (wasAway) {
      say('The shop is back.');
      if (!page.order) enter();
    }
    render();
  }, seconds * 1000);
}

// --- what is shown

function showHeader() {
  $('login').hidden = user() !== '';
  $('logout').hidden = user() === '';
  $('who').textContent = user();
  for (const link of document.querySelectorAll('nav a, .mini')) {
    const isHere = link.hash === '#/' ? route.view === 'products' : location.hash.startsWith(link.hash);
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const { counts, totals, currency } = cart.state ?? {};
  const [count, total] = document.querySelectorAll('[data-count], [data-total]');
  count.textContent = counts ? figure(counts.quantity) : '…';
  total.textContent = currency ? money(totals.all, cart.state) : counts ? 'empty' : '';
  [count.dataset.count, total.dataset.total] = [counts?.quantity ?? '', totals?.all ?? ''];
}

function trouble() {
  const text = !navigator.onLine ? 'You are offline'
    : isReadOnly() ? 'The cart can be read, but not changed at the moment'
    : isAway ? 'The shop does not answer at the moment' : null;
  return (text || isSlow) && h('p', { key: 'trouble', id: 'trouble', class: 'note warn' },
    text ? `${text}. This page tries again by itself.` : 'Waiting for the shop…');
}

const mergeTitle = () => merge?.pending ? 'Your guest cart comes along a little later.'
  : merge?.lines.length ? 'Your guest cart came along.' : '';

function mergeNotice() {
  const title = mergeTitle();
  const { lines = [] } = merge ?? {};
  return title && h('section', { key: 'merge', id: 'merge', class: 'note', 'aria-labelledby': 'merge-title' },
    h('h2', { id: 'merge-title' }, title),
    lines.length > 0 && h('ul', {}, lines.map(line => h('li', { sku: line.sku, outcome: line.outcome },
      h('b', {}, nameOf(line.sku)), ` – ${words.outcome(line)}`))),
    h('button', { action: 'dismiss' }, 'All right'));
}

const views = {
  products: () => products.productsView(cart.state),
  cart: () => cartView(cart.state, nameOf),
  checkout: () => checkoutView(page, nameOf),
  orders: () => ordersView(page),
  order: () => orderView(page, placed === route.id),
};

function render() {
  showHeader();
  patch(main, trouble(), mergeNotice(), views[route.view]());
  document.title = `${main.querySelector('h1').textContent} · Wayside`;
}

// --- which view

function readHash() {
  const [, view = '', id] = location.hash.split('/');
  if (view === 'orders' && id) return { view: 'order', id };
  return { view: ['cart', 'checkout', 'orders'].includes(view) ? view : 'products' };
}

async function go() {
  route = readHash();
  page = {};
  say('');
  main.replaceChildren();
  render();
  main.querySelector('h1').focus({ preventScroll: true });
  scrollTo(0, 0);
  await enter();
}

/** Fetches what the view is about. */
async function enter() {
  const here = page;
  const { view, id } = route;
  if (view === 'products') await products.load();
  if (view === 'checkout') await startCheckout(here);
  if (view === 'orders' || view === 'order') {
    const got = await work(() => view === 'orders' ? cart.orders({ limit: 10 }) : cart.getOrder(id));
    Object.assign(here, { failure: got ? null : $('message').textContent }, view === 'orders' ? got : { order: got });
  }
  if (page === here) render();
}

async function startCheckout(here) {
  if (!cart.state) await work(() => cart.refresh());
  if (!cart.state || page !== here) return;
  if (!cart.state.counts.selectedLines) return location.replace('#/cart');
  here.order = review(cart.state);
  render();
  const checked = await work(() => cart.validate());
  if (checked && !checked.ok && page === here) showRefusal(here, checked.problems);
}

/** Shows what has come between the shopper and the order, to be confirmed anew or changed in the cart. */
function showRefusal(here, problems) {
  const order = review(cart.state);
  if (!order.lines.length && !problems.length) return location.replace('#/cart');
  const said = differences(here.order, order);
  const hasChanged = said.length || order.total !== here.order.total;
  Object.assign(here, { order, problems, changes: hasChanged && { from: here.order.total, said } });
  render();
}

async function confirm() {
  const here = page;
  if (here.isSent) return;
  render(here.isSent = true);
  try {
    const order = await cart.order({ expectedTotal: here.order.total, cartVersion: here.order.version });
    placed = order.id;
    const done = () => say('The order is placed.');
    if (page !== here) return done();
    addEventListener('hashchange', done, { once: true });
    location.replace(`#/orders/${order.id}`);
  } catch (error) {
    here.isSent = false;
    fail(error);
    if (page === here && ['cart_empty', 'cart_not_ready', 'total_changed', 'version_mismatch'].includes(error.code)) {
      showRefusal(here, error.problem.errors.filter(fault => fault.sku));
    }
    render();
  }
}

// --- what the controls do

const step = ({ sku, to }) => work(async () => {
  await cart.set(sku, { delta: to - lineOf(sku).quantity });
  say(`${nameOf(sku)}: ${figure(lineOf(sku)?.quantity ?? 0)}.`);
});
const select = (box, what, name) => work(() => cart.select(box.checked, what),
  `${name}: ${box.checked ? 'checked' : 'unchecked'}.`);

/** The first of those that come has the focus. */
async function showMore(selector, load) {
  const { length } = document.querySelectorAll(selector);
  await load();
  document.querySelectorAll(selector)[length]?.focus();
}

/** Those that change the cart. */
const changes = {
  add: ({ sku }) => work(() => cart.add(sku, products.quantityToAdd(products.bySku(sku), lineOf(sku))),
    `${nameOf(sku)} is in the cart.`),
  more: step,
  less: step,
  quantity({ sku }, input) {
    const { valueMissing, badInput } = input.validity;
    // Emptied to be filled.
    if (valueMissing && !badInput) return null;
    if (!input.reportValidity()) return render(say(input.validationMessage, true));
    const quantity = input.valueAsNumber;
    return work(() => cart.set(sku, quantity), `${nameOf(sku)}${quantity ? `: ${figure(quantity)}` : ' is removed'}.`);
  },
  remove: ({ sku }) => work(() => cart.remove(sku), `${nameOf(sku)} is removed.`),
  'remove-selected': () => work(() => cart.remove({ selected: true }), 'What was checked is removed.'),
  clear: () => work(() => cart.clear(), 'The cart is empty now.'),
  select: ({ sku }, box) => select(box, sku, nameOf(sku)),
  'select-merchant': ({ merchant: merchantId }, box) => select(box, { merchantId }, capital(merchantId)),
  'select-all': (_, box) => select(box, 'all', 'All'),
  acknowledge: ({ sku }) => work(() => cart.acknowledgePrices(sku && [sku]), 'Accepted.'),
  confirm,
};

const others = {
  checkout: () => location.hash = '#/checkout',
  dismiss: () => render(merge = null),
  filter: ({ merchant }) => render(products.filter(merchant)),
  search(_, input) {
    products.search(input.value);
    render();
    say(`${products.found()} found.`);
  },
  'more-products': () => showMore('.products button', () => render(products.more())),
  'more-orders': () => showMore('.orders a', () => work(async () => {
    const here = page;
    const { orders, next } = await cart.orders({ limit: 10, before: here.next });
    Object.assign(here, { orders: [...here.orders, ...orders], next });
  })),
  async 'cancel-order'() {
    const here = page;
    const order = await work(() => cart.cancelOrder(route.id), 'The order is cancelled.');
    if (order) render(here.order = order);
    else enter();
  },
  reload: enter,
  async login() {
    const name = $('user').value.trim();
    if (!name || /[;\p{Cc}]/u.test(name) || new TextEncoder().encode(name).length > 128) {
      return say('A user is 1 to 128 bytes without a semicolon.', true);
    }
    await become(name, `Logged in as ${name}.`);
    document.querySelector('#logout button').focus();
  },
  async logout() {
    // Nobody is kept for long.
    await work(() => Promise.race([cart.sync(), new Promise(done => setTimeout(done, 4000))]));
    await become('', 'Logged out.');
    $('user').focus();
  },
};

/** Only the demo's nginx takes this cookie at its word. */
async function become(name, text) {
  document.cookie = `demoUser=${name}; path=/; SameSite=Lax${name ? '' : '; max-age=0'}`;
  await work(() => cart.reset().then(() => say(`${text} ${mergeTitle()}`)));
  meetShopper();
}

/** Forgets what was another's, when somebody logged in or out here or in another tab. */
function meetShopper() {
  if (shopper === user()) return;
  shopper = user();
  [merge, placed, page] = [null, null, {}];
  enter();
}

function act(control) {
  const { action } = control.dataset;
  if (control.getAttribute('aria-disabled')) {
    return say(control.title || $(control.getAttribute('aria-describedby')).textContent, true);
  }
  if (changes[action] && isReadOnly()) return render(say('The cart cannot be changed at the moment.', true));
  return (changes[action] ?? others[action])(control.dataset, control);
}

const on = (type, use) => document.addEventListener(type, event => {
  const control = event.target.closest?.('[data-action]');
  if (control) use(control);
});
on('click', control => control.matches('button') && !control.form && act(control));
on('change', control => control.matches('input:not([type=search])') && act(control));
on('input', control => control.matches('[type=search]') && act(control));
document.addEventListener('submit', event => {
  event.preventDefault();
  act(event.target.querySelector('button'));
});
document.querySelector('.skip').addEventListener('click', event => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', () => /^#\/|^$/.test(location.hash) && go());
addEventListener('offline', render);
addEventListener('online', render);
cart.addEventListener('change', ({ detail }) => {
  meetShopper();
  if (detail.merge) say(mergeTitle(merge = detail.merge));
  else if (merge?.pending) merge = null;
  if (isReadOnly() || merge?.pending) lookAgain();
  render();
});

render();
await Promise.all([products.load().then(render), work(() => cart.refresh())]);
await enter();
