// The views of an order that is to be placed, and of those that were.
import { capital, count, date, figure, h, heading, money } from './dom.js';
import { picture } from './pictures.js';
import { problem } from './words.js';

const time = { dateStyle: 'medium', timeStyle: 'short' };
const badge = status => h('span', { class: `tag ${status}` }, capital(status));

/** What the shopper sees before an order, to be compared with what the shop says then. */
export const review = cart => ({
  version: cart.version, currency: cart.currency, minorUnit: cart.minorUnit, total: cart.totals.selected,
  lines: cart.lines.filter(line => line.selected && line.current?.purchasable)
    .map(line => ({ ...line, ...line.snapshot, unitPrice: line.current.unitPrice })),
});

/** What differs between the order that was reviewed and the one that there would be now, in words. */
export function differences(before, now) {
  const old = new Map(before.lines.map(line => [line.sku, line]));
  const said = now.lines.flatMap(({ sku, name, quantity, unitPrice }) => {
    const was = old.get(sku);
    old.delete(sku);
    if (!was) return [`${name} has come: ${figure(quantity)}.`];
    return [
      was.unitPrice !== unitPrice && `${name}: ${money(unitPrice, now)} now, not ${money(was.unitPrice, now)}.`,
      was.quantity !== quantity && `${name}: ${figure(quantity)} now, not ${figure(was.quantity)}.`,
    ].filter(Boolean);
  });
  return [...said, ...[...old.values()].map(line => `${line.name} is no longer part of it.`)];
}

/** `order` is what was reviewed, `changes` and `problems` what came in between. */
export function checkoutView({ order, changes, problems, isSent }, nameOf) {
  const title = heading('Check your order');
  if (!order) return [title, h('p', { class: 'empty' }, 'Loading the cart…')];
  const total = money(order.total, order);
  const note = (kind, text, list) => h('section', { key: kind, class: `note ${kind}`, 'aria-label': 'What has changed' },
    h('p', {}, text), h('ul', {}, list.map(each => h('li', {}, each))));
  return [h('div', { class: 'narrow' }, title,
    changes && note('warn', `It comes to ${total} now, not ${money(changes.from, order)}.`, changes.said),
    problems?.length > 0 && note('bad', 'The order cannot be placed as it is:', problems.map(each => problem(each, nameOf))),
    sheet(order, 'Total',
      h('a', { class: 'button', href: '#/cart' }, 'Back to the cart'),
      !problems?.length && h('button', { class: 'main', action: 'confirm' },
        isSent ? 'One moment…' : `${changes ? 'Order anew' : 'Order'} for ${total}`)))];
}

function sheet(order, label, ...actions) {
  const merchants = [...new Set(order.lines.map(line => line.merchantId))];
  return h('div', { class: 'panel' },
    merchants.map(id => [h('h2', {}, capital(id)), h('ul', { class: 'lines brief' },
      order.lines.filter(line => line.merchantId === id).map(line => h('li', { key: line.sku, sku: line.sku },
        picture(line),
        h('div', { class: 'what' }, h('h3', {}, line.name),
          h('p', { class: 'soft' }, `${figure(line.quantity)} × ${money(line.unitPrice, order)}`)),
        h('b', { class: 'amount' }, money(line.lineTotal, order)))))]),
    h('p', { class: 'total' }, h('span', {}, label), h('b', {}, money(order.total, order))),
    h('div', { class: 'actions' }, actions));
}

export function ordersView({ orders, next, failure }) {
  return [heading('Orders'),
    !orders?.length && h('div', { class: 'empty' },
      h('p', {}, failure ?? (orders ? 'There are no orders yet.' : 'Loading the orders…')),
      failure ? h('button', { action: 'reload' }, 'Try again')
        : orders && h('a', { class: 'button', href: '#/' }, 'See the products')),
    orders?.length > 0 && h('ul', { class: 'orders' }, orders.map(order => h('li', { key: order.id },
      h('a', { href: `#/orders/${order.id}` },
        h('b', {}, date(order.placedAt, time)),
        h('span', { class: 'soft' }, order.lines.map(line => line.name).join(' · ')),
        badge(order.status),
        h('b', { class: 'amount' }, money(order.total, order)))))),
    next && h('p', { class: 'more' }, count(orders.length, 'order'), h('button', { action: 'more-orders' }, 'Show more'))];
}

export function orderView({ order, failure }, isNew) {
  const title = heading(isNew && order?.status === 'placed' ? 'Thank you' : 'Order');
  const back = h('a', { class: 'button', href: '#/orders' }, 'All orders');
  if (!order) return [title, h('div', { class: 'empty' }, h('p', {}, failure ?? 'Loading the order…'), back)];
  const isPlaced = order.status === 'placed';
  return [h('div', { class: 'narrow' }, title,
    isNew && isPlaced && h('p', { key: 'new', class: 'note' }, 'Your order is placed, and has left the cart.'),
    h('p', { class: 'facts' }, badge(order.status), h('span', {}, date(order.placedAt, time)),
      h('span', { class: 'soft' }, `No. ${order.id}`)),
    sheet(order, `Total of ${count(order.lines.reduce((sum, line) => sum + line.quantity, 0), 'piece')}`, back,
      isPlaced && h('button', { class: 'quiet', action: 'cancel-order' }, 'Cancel this order')))];
}
