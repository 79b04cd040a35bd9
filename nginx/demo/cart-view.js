// The view of the cart: its lines by merchant, what is wrong with them, and what the checked ones cost.
import { capital, count, figure, h, heading, money, tags } from './dom.js';
import { picture } from './pictures.js';
import { isOffSale, limits, problem, room, stock } from './words.js';

export function cartView(cart, nameOf) {
  const head = heading('Cart');
  if (!cart) return [head, h('p', { class: 'empty' }, 'Loading the cart…')];
  const { counts, lines, merchants } = cart;
  if (!counts.lines) {
    return [head, h('div', { class: 'empty' }, picture({ sku: '', name: 'Bag' }),
      h('p', {}, 'The cart is empty.'), h('a', { class: 'button', href: '#/' }, 'See the products'))];
  }
  const marked = lines.filter(line => line.priceChange).length;
  return [head, h('div', { class: 'columns' },
    h('div', {},
      marked > 0 && h('div', { key: 'marked', class: 'note warn' },
        h('p', {}, `${count(marked, 'price')} changed since you put ${marked === 1 ? 'it' : 'them'} in.`),
        h('button', { action: 'acknowledge' }, 'Accept the new prices')),
      h('div', { class: 'tools' },
        checkbox({ action: 'select-all' }, 'All', counts.selectedLines, counts.lines),
        h('button', { class: 'quiet', action: 'remove-selected', title: 'Nothing is checked.',
          'aria-disabled': counts.selectedLines === 0 && 'true' }, 'Remove checked'),
        h('button', { class: 'quiet', action: 'clear' }, 'Clear all')),
      merchants.map(({ merchantId, selection, selectedTotal }) =>
        h('section', { class: 'panel', key: `of ${merchantId}`, 'aria-label': capital(merchantId) },
          h('div', { class: 'head' },
            h('h2', {}, checkbox({ action: 'select-merchant', merchant: merchantId }, capital(merchantId),
              { all: 2, some: 1 }[selection] ?? 0, 2)),
            h('span', { class: 'soft' }, `Checked: ${money(selectedTotal, cart)}`)),
          h('ul', { class: 'lines' },
            lines.filter(line => line.merchantId === merchantId).map(line => showLine(line, cart)))))),
    summary(cart, nameOf))];
}

const checkbox = (control, label, some, all) => h('label', { class: 'check' },
  h('input', { type: 'checkbox', checked: some === all, indeterminate: some > 0 && some < all, ...control }), label);

function showLine(line, cart) {
  const { sku, snapshot, current, priceChange: change } = line;
  const { name } = snapshot;
  const isUp = change?.direction === 'increase';
  return h('li', { key: sku, sku, class: !current?.purchasable && 'off' },
    h('label', { class: 'check' },
      h('input', { type: 'checkbox', checked: line.selected, 'aria-label': `Check ${name}`, action: 'select', sku })),
    picture({ sku, ...snapshot }),
    h('div', { class: 'what' },
      h('h3', {}, name),
      h('p', { class: 'soft' }, `${money((current ?? snapshot).unitPrice, cart)} each · ${sku}`),
      tags(marks(line)),
      change && h('p', { class: `price ${isUp ? 'bad' : 'good'}` },
        `${isUp ? '▲ Up' : '▼ Down'} from `, h('s', {}, money(change.from, cart)), ` to ${money(change.to, cart)}`,
        h('button', { class: 'quiet', action: 'acknowledge', sku, 'aria-label': `Accept the new price of ${name}` }, 'Accept'))),
    h('div', { class: 'figures' },
      stepper(line),
      h('b', { class: 'amount' }, money(line.lineTotal, cart)),
      h('button', { class: 'quiet', action: 'remove', sku, 'aria-label': `Remove ${name}` }, 'Remove')));
}

/** What a shopper should know of a line besides its price: whether it can be had, how many are left, its limits. */
function marks({ current, extraData }) {
  if (!current) return [['Unknown to the shop', 'bad']];
  if (!current.purchasable && !isOffSale(extraData)) return [['No longer sold', 'bad']];
  const left = current.availableQuantity;
  const few = extraData.stock === 'insufficient' ? [`Only ${figure(left)} left`, 'bad'] : stock(left);
  return [few, ...limits(extraData).map(text => [text, !current.purchasable && 'bad'])];
}

function stepper(line) {
  const { sku, quantity, snapshot: { name } } = line;
  const { up, down, whyNotUp, whyNotDown } = room(line);
  const id = `why-${encodeURIComponent(sku)}`;
  const why = up === null ? whyNotUp : down === null ? whyNotDown : '';
  const button = (action, sign, label, to, whyNot) => h('button', { action, sku, to, 'aria-label': `${label} of ${name}`,
    ...to === null && { 'aria-disabled': 'true', title: whyNot, 'aria-describedby': why && id } }, sign);
  return h('div', { class: 'stepper' },
    h('div', { role: 'group', 'aria-label': `Quantity of ${name}` },
      button('less', '−', 'Less', down, whyNotDown || 'One is the least: “Remove” takes it out.'),
      h('input', { type: 'number', min: 0, max: 1000000, required: true, value: `${quantity}`,
        'aria-label': `Quantity of ${name}`, action: 'quantity', sku }),
      button('more', '+', 'More', up, whyNotUp)),
    h('p', { id, class: 'soft' }, why));
}

function summary(cart, nameOf) {
  const { counts, totals, problems, merchants } = cart;
  const why = !counts.selectedLines ? 'Check what you would like to order.'
    : problems.length ? 'Change what is listed above, or uncheck it, to check out.' : null;
  const row = (term, text, kind) => h('div', { class: kind }, h('dt', {}, term), h('dd', {}, text));
  return h('section', { class: 'panel summary', 'aria-labelledby': 'summary' },
    h('h2', { id: 'summary' }, 'Summary'),
    h('dl', {},
      row('Checked', `${figure(counts.selectedQuantity)} of ${count(counts.quantity, 'piece')}`),
      merchants.map(each => row(capital(each.merchantId), money(each.selectedTotal, cart))),
      row('Total', money(totals.selected, cart), 'total')),
    problems.length > 0 && h('ul', { class: 'problems', 'aria-label': 'What stands in the way' },
      problems.map(each => h('li', {}, problem(each, nameOf)))),
    why && h('p', { id: 'why-not', class: 'soft' }, why),
    h('button', { class: 'main', action: 'checkout', ...why && { 'aria-disabled': 'true', 'aria-describedby': 'why-not' } },
      'Check out'));
}
