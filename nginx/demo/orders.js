// The views of the shopper's orders.
import { briefLine } from './cart-view.js';
import { count, date, h, money } from './dom.js';
import { merchantName } from './products.js';
import { pieces } from './words.js';

const states = { placed: 'Placed', accepted: 'Accepted', cancelled: 'Cancelled' };
const time = { dateStyle: 'medium', timeStyle: 'short' };
const badge = status => h('span', { class: `tag ${status}` }, states[status] ?? status);
const amountIn = order => value => money(value, order.currency, order.minorUnit);

/** @param list `orders` so far and `next`, null while they are on their way; `failure` in words */
export function ordersView({ orders, next, failure }) {
  return [h('h1', { tabindex: -1 }, 'Orders'),
    failure ? h('p', { class: 'empty' }, failure, ' ', h('button', { data: { action: 'reload' } }, 'Try again'))
      : !orders ? h('p', { class: 'empty' }, 'Loading the orders…')
        : !orders.length && h('p', { class: 'empty' }, 'There are no orders yet. ', h('a', { href: '#/' }, 'See the products')),
    orders?.length > 0 && h('ul', { class: 'orders' }, orders.map(order => h('li', { key: order.id },
      h('a', { href: `#/orders/${encodeURIComponent(order.id)}` },
        h('b', {}, date(order.placedAt, time)),
        h('span', { class: 'soft' }, order.lines.map(line => line.name).join(', ')),
        badge(order.status),
        h('b', { class: 'amount' }, amountIn(order)(order.total)))))),
    next && h('p', { class: 'more' }, h('span', {}, count(orders.length, 'order')),
      h('button', { data: { action: 'more-orders' } }, 'Show more'))];
}

/** @param isNew whether it has just been placed */
export function orderView({ order, failure }, isNew) {
  if (!order) {
    return [h('h1', { tabindex: -1 }, 'Order'),
      h('p', { class: 'empty' }, failure ?? 'Loading the order…', ' ', h('a', { href: '#/orders' }, 'All orders'))];
  }
  const amount = amountIn(order);
  const merchants = [...new Set(order.lines.map(line => line.merchantId))];
  const quantity = order.lines.reduce((sum, line) => sum + line.quantity, 0);
  return [h('h1', { tabindex: -1 }, isNew ? 'Thank you' : 'Order'),
    isNew && h('p', { class: 'note good' }, 'The order is placed. It has left your cart.'),
    h('p', { class: 'facts' }, badge(order.status), h('span', {}, date(order.placedAt, time)),
      h('span', { class: 'soft' }, `No. ${order.id}`)),
    h('div', { class: 'panel narrow' },
      merchants.map(id => [h('h2', {}, merchantName(id)),
        h('ul', { class: 'lines brief' }, order.lines.filter(line => line.merchantId === id)
          .map(line => briefLine(line, amount)))]),
      h('p', { class: 'total' }, h('span', {}, `Total of ${pieces(quantity)}`), h('b', {}, amount(order.total))),
      h('div', { class: 'actions' },
        h('a', { class: 'button', href: '#/orders' }, 'All orders'),
        order.status === 'placed' && h('button', { class: 'quiet', data: { action: 'cancel-order' } }, 'Cancel this order')))];
}
