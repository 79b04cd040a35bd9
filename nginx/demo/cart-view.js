// The view of the cart: its lines by merchant, what is wrong with them, and what the checked ones cost.
import { h, money } from './dom.js';
import { picture } from './pictures.js';
import { merchantName } from './products.js';
import { limits, pieces, problem, room, stock } from './words.js';

const amountIn = cart => value => money(value, cart.currency, cart.minorUnit);

/** What the words for a problem need to know of a line. */
export const known = line =>
  ({ name: line.snapshot.name, from: line.extraData.availableFrom, until: line.extraData.availableUntil });

export function cartView(cart) {
  const head = h('h1', { tabindex: -1 }, 'Cart');
  if (!cart) return [head, h('p', { class: 'empty' }, 'Loading the cart…')];
  if (!cart.lines.length) {
    return [head, h('p', { class: 'empty' }, 'The cart is empty. ', h('a', { href: '#/' }, 'See the products'))];
  }
  const amount = amountIn(cart);
  const marked = cart.lines.filter(line => line.priceChange).length;
  return [head, h('div', { class: 'columns' },
    h('div', {},
      marked > 0 && h('div', { class: 'note warn' },
        h('p', {}, marked === 1 ? 'One price has changed since you saw it.'
          : `${marked} prices have changed since you saw them.`),
        h('button', { data: { action: 'acknowledge' } }, marked === 1 ? 'Accept the new price' : 'Accept the new prices')),
      h('div', { class: 'tools' },
        checkbox('select-all', {}, 'All', cart.counts.selectedLines, cart.counts.lines),
        h('button', { class: 'quiet', data: { action: 'remove-selected' },
          'aria-disabled': cart.counts.selectedLines === 0 && 'true', title: 'Removes what is checked' }, 'Remove checked'),
        h('button', { class: 'quiet', data: { action: 'clear' } }, 'Clear the cart')),
      cart.merchants.map(merchant => group(cart, merchant, amount))),
    summary(cart, amount))];
}

function checkbox(action, data, label, some, all) {
  return h('label', { class: 'check' },
    h('input', { type: 'checkbox', checked: some > 0 && some === all, indeterminate: some > 0 && some < all,
      data: { action, ...data } }), label);
}

function group(cart, { merchantId, selection, selectedTotal }, amount) {
  const some = { all: 2, some: 1 }[selection] ?? 0;
  return h('section', { class: 'panel', key: `of ${merchantId}`, 'aria-label': merchantName(merchantId) },
    h('div', { class: 'head' },
      h('h2', {}, checkbox('select-merchant', { merchant: merchantId }, merchantName(merchantId), some, 2)),
      h('span', { class: 'soft' }, `Checked: ${amount(selectedTotal)}`)),
    h('ul', { class: 'lines' },
      cart.lines.filter(line => line.merchantId === merchantId).map(line => showLine(line, amount))));
}

function showLine(line, amount) {
  const { sku, snapshot, selected, lineTotal } = line;
  const { name } = snapshot;
  const data = action => ({ action, sku });
  return h('li', { key: sku, data: { sku }, class: line.current?.purchasable ? '' : 'off' },
    h('label', { class: 'check' }, h('input', { type: 'checkbox', checked: selected, 'aria-label': `Check ${name}`,
      data: data('select') })),
    picture({ sku, ...snapshot }),
    h('div', { class: 'what' },
      h('h3', {}, name),
      h('p', { class: 'soft' }, `${amount((line.current ?? snapshot).unitPrice)} each · ${sku}`),
      h('p', { class: 'tags' }, marks(line).map(([text, kind = '']) => h('span', { class: `tag ${kind}` }, text))),
      line.priceChange && priceChange(line, amount)),
    h('div', { class: 'figures' },
      stepper(line),
      h('b', { class: 'amount' }, amount(lineTotal)),
      h('button', { class: 'quiet', data: data('remove'), 'aria-label': `Remove ${name}` }, 'Remove')));
}

/** What a shopper should know of a line besides its price: whether it can be had, how many are left, its limits. */
function marks({ current, extraData }) {
  if (!current) return [['Unknown to the shop', 'bad']];
  const { availableFrom, availableUntil } = extraData;
  const isOff = !current.purchasable && !(Date.parse(availableFrom) > Date.now() || Date.parse(availableUntil) <= Date.now());
  if (isOff) return [['No longer sold', 'bad']];
  const left = stock(current.availableQuantity);
  const words = { out: ['Sold out', 'bad'], insufficient: [`Only ${current.availableQuantity} left`, 'bad'] };
  const first = words[extraData.stock] ?? left;
  return [...first ? [first] : [], ...limits(extraData).map(text => [text, current.purchasable ? '' : 'bad'])];
}

function priceChange({ sku, snapshot, priceChange: { direction, from, to } }, amount) {
  const isUp = direction === 'increase';
  return h('p', { class: `price ${isUp ? 'up' : 'down'}` },
    h('span', {}, `${isUp ? '▲ Up' : '▼ Down'} from `, h('s', {}, amount(from)), ` to ${amount(to)}`),
    h('button', { class: 'quiet', data: { action: 'acknowledge', sku }, 'aria-label': `Accept the new price of ${snapshot.name}` },
      'Accept'));
}

function stepper(line) {
  const { sku, quantity, snapshot: { name } } = line;
  const { up, down, whyNotUp, whyNotDown } = room(line);
  const id = `why ${encodeURIComponent(sku)}`.replace(' ', '-');
  const shown = up === null ? whyNotUp : down === null ? whyNotDown : '';
  const button = (action, to, sign, label, why) => h('button', {
    data: { action, sku, to }, 'aria-label': `${label} of ${name}`, title: to === null ? why : null,
    'aria-disabled': to === null && 'true', 'aria-describedby': to === null && shown !== '' && id,
  }, sign);
  return h('div', { class: 'stepper' },
    h('div', { role: 'group', 'aria-label': `Quantity of ${name}` },
      button('less', down, '−', 'Less', whyNotDown || 'One is the least: “Remove” takes it out'),
      h('input', { type: 'number', min: 0, max: 1000000, step: 1, required: true, value: String(quantity),
        'aria-label': `Quantity of ${name}`, data: { action: 'quantity', sku } }),
      button('more', up, '+', 'More', whyNotUp)),
    h('p', { id, class: 'soft' }, shown));
}

function summary(cart, amount) {
  const { counts, totals, problems, merchants } = cart;
  const nameOf = sku => known(cart.lines.find(line => line.sku === sku));
  const why = counts.selectedLines === 0 ? 'Check what you would like to order.'
    : problems.length ? 'What is listed above stands in the way of an order. Change it, or uncheck it.' : '';
  return h('section', { class: 'panel summary', 'aria-labelledby': 'summary' },
    h('h2', { id: 'summary' }, 'Summary'),
    h('dl', {},
      h('div', {}, h('dt', {}, 'Checked'),
        h('dd', {}, `${counts.selectedQuantity.toLocaleString('en-GB')} of ${pieces(counts.quantity)}`)),
      merchants.map(({ merchantId, selectedTotal }) =>
        h('div', {}, h('dt', {}, merchantName(merchantId)), h('dd', {}, amount(selectedTotal)))),
      h('div', { class: 'total' }, h('dt', {}, 'Total'), h('dd', {}, amount(totals.selected)))),
    problems.length > 0 && h('ul', { class: 'problems', 'aria-label': 'What stands in the way' },
      problems.map(each => h('li', {}, problem(each, nameOf(each.sku))))),
    why && h('p', { id: 'why-not', class: 'soft' }, why),
    h('button', { class: 'main wide', data: { action: 'checkout' }, 'aria-disabled': why !== '' && 'true',
      'aria-describedby': why !== '' && 'why-not' }, 'Check out'));
}

/** What the shopper sees before an order, to be compared with what the shop says then. */
export const review = cart => ({
  currency: cart.currency, minorUnit: cart.minorUnit, total: cart.totals.selected,
  lines: cart.lines.filter(line => line.selected && line.current?.purchasable),
});

/** What differs between the order that was reviewed and the one that there would be now, in words. */
export function differences(before, now) {
  const amount = amountIn(now);
  const old = new Map(before.lines.map(line => [line.sku, line]));
  const said = now.lines.flatMap(line => {
    const { sku, snapshot: { name }, quantity, current: { unitPrice } } = line;
    const was = old.get(sku);
    old.delete(sku);
    if (!was) return [`${name} is new: ${quantity}`];
    return [
      was.current.unitPrice !== unitPrice && `${name} costs ${amount(unitPrice)} now, not ${amount(was.current.unitPrice)}`,
      was.quantity !== quantity && `${name}: ${quantity} now, not ${was.quantity}`,
    ].filter(Boolean);
  });
  return [...said, ...[...old.values()].map(line => `${line.snapshot.name} is no longer part of it`)];
}

/** @param step `order` is what was reviewed, `changes` and `problems` what came in between, `isSent` that it is under way */
export function checkoutView(step, nameOf) {
  const { order, changes, problems, isSent } = step;
  const amount = amountIn(order);
  return [h('h1', { tabindex: -1 }, 'Check your order'),
    changes && h('section', { class: 'note warn', 'aria-label': 'What has changed' },
      h('p', {}, `The order has changed. It comes to ${amount(order.total)} now, not ${amount(changes.from)}.`),
      h('ul', {}, changes.said.map(text => h('li', {}, text)))),
    problems && h('section', { class: 'note bad', 'aria-label': 'What stands in the way' },
      h('p', {}, 'The order cannot be placed as it is:'),
      h('ul', {}, problems.map(each => h('li', {}, problem(each, nameOf(each.sku)))))),
    h('div', { class: 'panel narrow' },
      h('ul', { class: 'lines brief' }, order.lines.map(line => briefLine({ ...line, ...line.snapshot,
        unitPrice: line.current.unitPrice }, amount))),
      h('p', { class: 'total' }, h('span', {}, 'Total'), h('b', {}, amount(order.total))),
      h('div', { class: 'actions' },
        h('a', { class: 'button', href: '#/cart' }, 'Back to the cart'),
        !problems && h('button', { class: 'main', data: { action: 'confirm' }, 'aria-disabled': isSent && 'true' },
          isSent ? 'One moment…' : `Order for ${amount(order.total)}`)))];
}

export function briefLine({ sku, name, picture: given, quantity, unitPrice, lineTotal }, amount) {
  return h('li', { key: sku, data: { sku } }, picture({ sku, name, picture: given }),
    h('div', { class: 'what' }, h('h3', {}, name),
      h('p', { class: 'soft' }, `${quantity.toLocaleString('en-GB')} × ${amount(unitPrice)}`)),
    h('b', { class: 'amount' }, amount(lineTotal)));
}
