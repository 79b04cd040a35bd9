// The example shop: which view is shown, what its controls do, and what is said about it. Each control names what it does
// in data-action; one that can do nothing is `aria-disabled`, so that it keeps the focus and can say why.
import { Cart } from './v1/cart.js';
import { cartView, checkoutView, differences, known, review } from './cart-view.js';
import { h, patch } from './dom.js';
import { orderView, ordersView } from './orders.js';
import * as products from './products.js';
import * as words from './words.js';

const $ = id => document.getElementById(id);
const main = $('main');
const cart = new Cart();

let route = { view: 'products' };
/** What the view of this moment has fetched or is about: orders, an order, or a checkout. */
let page = {};
/** The order that was placed last. */
let placed = null;
/** What became of the guest's cart. */
let merge = null;
/** Whether the shop did not answer of late; whether it takes long right now. */
let [isAway, isSlow] = [false, false];

// --- what is said -----------------------------------------------------------------------------------------------------

let forgetting;

function say(text, isBad = false) {
  clearTimeout(forgetting);
  $('message').replaceChildren(text);
  $('message').className = isBad ? 'bad' : '';
  if (text && !isBad) forgetting = setTimeout(() => say(''), 8000);
}

function productOf(sku) {
  const line = cart.state?.lines.find(line => line.sku === sku);
  return line ? known(line) : { name: products.product(sku)?.name ?? sku ?? 'This' };
}

const nameOf = sku => productOf(sku).name;

function fail(error) {
  if (['shopper_changed', 'closed'].includes(error.code)) return;
  if (!(error.status < 500 && error.status > 0)) {
    isAway = true;
    lookAgain();
  }
  say(words.error(error, productOf), true);
}

/** Does something that takes a while. A cart that it changes shows itself by an event. */
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

let looking;

/** Asks for the cart until the shop answers as usual. */
function lookAgain(seconds = 4) {
  looking ??= setTimeout(async () => {
    await cart.refresh().then(() => isAway = false, () => {});
    looking = null;
    if (isAway || isReadOnly() || merge?.pending) lookAgain(Math.min(seconds * 1.5, 20));
    else if (route.view !== 'checkout') enter();
    render();
  }, seconds * 1000);
}

const isReadOnly = () => cart.source === 'database';

// --- what is shown ----------------------------------------------------------------------------------------------------

const user = () => document.cookie.split('; ').find(part => part.startsWith('demoUser='))?.slice('demoUser='.length) ?? '';

function showHeader() {
  $('login').hidden = user() !== '';
  $('logout').hidden = user() === '';
  $('who').textContent = user();
  for (const link of document.querySelectorAll('header a')) {
    const isHere = link.hash === '#/' ? route.view === 'products' : location.hash.startsWith(link.hash);
    if (isHere && !link.matches('.brand')) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const { counts, totals } = cart.state ?? {};
  const [count, total] = ['count', 'total'].map(name => document.querySelector(`.mini [data-${name}]`));
  count.textContent = counts?.quantity.toLocaleString('en-GB') ?? '…';
  count.dataset.count = counts?.quantity ?? '';
  total.textContent = !cart.state ? '' : cart.state.currency ? words.amount(cart.state, totals.all) : 'empty';
  total.dataset.total = totals?.all ?? '';
}

function trouble() {
  const text = !navigator.onLine ? 'You are offline. The shop comes back with your connection.'
    : isReadOnly() ? 'The cart can be read but not changed at the moment. This page tries again by itself.'
    : isAway ? 'The shop does not answer at the moment. This page tries again by itself.'
    : isSlow ? 'Waiting for the shop…' : '';
  return text && h('p', { key: 'trouble', class: 'note warn' }, text);
}

function mergeNotice() {
  if (!merge) return null;
  return h('section', { key: 'merge', id: 'merge', class: 'note', 'aria-labelledby': 'merge-title' },
    h('h2', { id: 'merge-title' }, merge.pending ? 'Your guest cart will come along a little later'
      : merge.lines.length ? 'Your guest cart came along' : 'Your guest cart was empty'),
    merge.lines?.length > 0 && h('ul', {}, merge.lines.map(line => h('li', { data: { sku: line.sku, outcome: line.outcome } },
      h('b', {}, nameOf(line.sku)), ' – ', words.outcome(line)))),
    h('button', { class: 'quiet', data: { action: 'dismiss' } }, 'All right'));
}

const views = {
  products: () => products.productsView(cart.state),
  cart: () => cartView(cart.state),
  checkout: () => page.order ? checkoutView(page, productOf) : cartView(null),
  orders: () => ordersView(page),
  order: () => orderView(page, placed === route.id),
};

function render() {
  showHeader();
  patch(main, trouble(), mergeNotice(), views[route.view]());
}

// --- which view -------------------------------------------------------------------------------------------------------

function readHash() {
  const [, view = '', id] = location.hash.split('/');
  if (view === 'orders' && id) return { view: 'order', id: decodeURIComponent(id) };
  return { view: ['cart', 'checkout', 'orders'].includes(view) ? view : 'products' };
}

async function go() {
  route = readHash();
  page = {};
  say('');
  main.replaceChildren();
  render();
  const title = main.querySelector('h1');
  document.title = `${title.textContent} · Wayside`;
  title.focus({ preventScroll: true });
  scrollTo(0, 0);
  await enter();
}

/** Fetches what the view is about. */
async function enter() {
  const here = page;
  const { view, id } = route;
  const fetchInto = async (task, name) => {
    const result = await work(task);
    Object.assign(here, result ? { failure: null, ...name ? { [name]: result } : result } : { failure: $('message').textContent });
    if (page === here) render();
  };
  if (view === 'orders') await fetchInto(() => cart.orders({ limit: 10 }));
  if (view === 'order') await fetchInto(() => cart.getOrder(id), 'order');
  if (view === 'checkout') await startCheckout(here);
  if (view === 'products' && !products.isLoaded()) await products.load().then(render);
}

async function startCheckout(here) {
  if (!cart.state) await work(() => cart.refresh());
  if (!cart.state || page !== here) return;
  if (!cart.state.counts.selectedLines) return location.replace('#/cart');
  Object.assign(here, { order: review(cart.state) });
  render();
  const checked = await work(() => cart.validate());
  if (checked && !checked.ok && page === here) showRefusal(here, checked.problems);
}

/** Shows what has come between the shopper and the order, to be confirmed anew or changed in the cart. */
function showRefusal(here, problems) {
  const order = review(cart.state);
  const said = differences(here.order, order);
  Object.assign(here, {
    isSent: false, order, problems: problems.length ? problems : null,
    changes: said.length || order.total !== here.order.total ? { from: here.order.total, said } : null,
  });
  render();
}

// --- what the controls do ---------------------------------------------------------------------------------------------

const line = sku => cart.state.lines.find(line => line.sku === sku);
const step = ({ sku, to }) => work(() => cart.set(sku, { delta: to - line(sku).quantity }), `${nameOf(sku)}: ${to}.`);
const select = (box, what, name) => work(() => cart.select(box.checked, what), `${name}: ${box.checked ? 'checked' : 'unchecked'}.`);

/** Those that change the cart. */
const changes = {
  add: ({ sku }) => work(() => cart.add(sku, products.quantityToAdd(products.product(sku), cart.state && line(sku))),
    `${nameOf(sku)} is in the cart.`),
  more: step,
  less: step,
  quantity({ sku }, input) {
    if (!input.reportValidity()) return say('A quantity is a whole number up to 1,000,000.', true);
    const quantity = input.valueAsNumber;
    return work(() => cart.set(sku, quantity), quantity ? `${nameOf(sku)}: ${quantity}.` : `${nameOf(sku)} is removed.`);
  },
  remove: ({ sku }) => work(() => cart.remove(sku), `${nameOf(sku)} is removed.`),
  'remove-selected': () => work(() => cart.remove({ selected: true }), 'What was checked is removed.'),
  clear: () => work(() => cart.clear(), 'The cart is empty now.'),
  select: ({ sku }, box) => select(box, sku, nameOf(sku)),
  'select-merchant': ({ merchant: merchantId }, box) => select(box, { merchantId }, products.merchantName(merchantId)),
  'select-all': (_, box) => select(box, 'all', 'All'),
  acknowledge: ({ sku }) => work(() => cart.acknowledgePrices(sku && [sku]), 'The new price is accepted.'),
  async confirm() {
    const here = page;
    here.isSent = true;
    render();
    try {
      const order = await cart.order({ expectedTotal: here.order.total });
      placed = order.id;
      location.replace(`#/orders/${encodeURIComponent(order.id)}`);
    } catch (error) {
      here.isSent = false;
      const isAnswered = ['cart_empty', 'cart_not_ready', 'total_changed', 'version_mismatch'].includes(error.code);
      if (isAnswered) showRefusal(here, error.code === 'cart_not_ready' ? error.problem.errors : []);
      fail(error);
      render();
    }
  },
};

const others = {
  checkout: () => location.hash = '#/checkout',
  dismiss: () => render(merge = null),
  filter: ({ merchant }, control) => render(products.filter(merchant ?? control.value)),
  search: (_, input) => {
    products.search(input.value);
    render();
    say(products.found());
  },
  'more-products': () => render(products.more()),
  'more-orders': () => {
    const here = page;
    return work(async () => {
      const more = await cart.orders({ limit: 10, before: here.next });
      Object.assign(here, { orders: [...here.orders, ...more.orders], next: more.next });
    });
  },
  'cancel-order': async () => {
    const here = page;
    const order = await work(() => cart.cancelOrder(route.id), 'The order is cancelled.');
    if (order) render(here.order = order);
  },
  reload: () => enter(),
  async login() {
    const name = $('user').value.trim();
    if (!name || /[;\p{Cc}]/u.test(name) || new TextEncoder().encode(name).length > 128) {
      return say('A user is 1 to 128 bytes without a semicolon.', true);
    }
    // Only the demo's nginx takes this cookie at its word.
    document.cookie = `demoUser=${name}; path=/; SameSite=Lax`;
    await newShopper(`Logged in as ${name}.`);
    document.querySelector('#logout button').focus();
  },
  async logout() {
    await work(() => cart.sync());
    document.cookie = 'demoUser=; path=/; max-age=0; SameSite=Lax';
    await newShopper('Logged out.');
    $('user').focus();
  },
};

async function newShopper(text) {
  [merge, placed, page] = [null, null, {}];
  await work(() => cart.reset(), text);
  await enter();
}

function act(control) {
  const { action } = control.dataset;
  if (control.getAttribute('aria-disabled')) {
    return say(control.title || $(control.getAttribute('aria-describedby'))?.textContent || 'Not now.', true);
  }
  if (changes[action] && isReadOnly()) {
    say('The cart cannot be changed at the moment.', true);
    return render();
  }
  return (changes[action] ?? others[action])?.(control.dataset, control);
}

const closest = event => event.target.closest?.('[data-action]');

document.addEventListener('click', event => {
  if (event.target.matches('.skip')) {
    event.preventDefault();
    main.focus();
  }
  const control = closest(event);
  if (control?.matches('button') && !control.form) act(control);
});
document.addEventListener('submit', event => {
  event.preventDefault();
  act(event.submitter);
});
document.addEventListener('change', event => closest(event)?.matches(':not([type=search])') && act(closest(event)));
document.addEventListener('input', event => closest(event)?.matches('[type=search]') && act(closest(event)));
addEventListener('hashchange', () => /^#\/|^$/.test(location.hash) && go());
addEventListener('offline', render);
addEventListener('online', render);

cart.addEventListener('change', ({ detail }) => {
  if (detail.merge) merge = detail.merge;
  else if (merge?.pending) merge = null;
  if (isReadOnly() || merge?.pending) lookAgain();
  render();
});

route = readHash();
render();
document.title = `${main.querySelector('h1').textContent} · Wayside`;
await Promise.all([products.load(), work(() => cart.refresh())]);
render();
await enter();
