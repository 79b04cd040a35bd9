// What the API's codes and figures mean to a shopper.
import { date, figure } from './dom.js';

const ofProducts = {
  not_purchasable: () => 'is no longer sold',
  out_of_stock: () => 'is sold out',
  insufficient_stock: ({ available, requested }) =>
    `: only ${figure(available)} left${requested ? `, not ${figure(requested)}` : ''}`,
  purchase_limit: ({ limit }) => `: at most ${figure(limit)} in one order`,
  customer_limit: ({ limit }) => `: at most ${figure(limit)} for a customer, earlier orders included`,
  minimum_quantity: ({ limit }) => `is sold from ${figure(limit)} on`,
  quantity_step: ({ limit }) => `is sold in steps of ${figure(limit)}`,
  not_on_sale_yet: () => 'is not on sale yet',
  no_longer_on_sale: () => 'is no longer on sale',
  unknown_sku: () => 'is unknown to the shop',
  currency_mismatch: () => 'has another currency than the cart. Order what is in it first, or clear it',
};
// Where the API's own sentence is for developers.
const ofRequests = {
  line_not_found: 'That is no longer in the cart.',
  cart_not_ready: 'The order cannot be placed as it is.',
  total_changed: 'The total has changed.',
  version_mismatch: 'The cart has changed meanwhile.',
  order_not_found: 'You have no such order.',
  store_unavailable: 'The shop cannot do that at the moment. Please try again soon.',
  network: 'The shop cannot be reached. Please try again.',
};

/** A problem of the cart, or one fault of an error. */
export function problem(each, nameOf) {
  const text = ofProducts[each.code]?.(each);
  return text ? `${nameOf(each.sku)}${text.startsWith(':') ? '' : ' '}${text}.` : ofRequests[each.code] ?? each.code;
}

/** An error of the client in words. */
export function error({ code, problem: given, message }, nameOf) {
  const faults = (given?.errors ?? []).filter(fault => fault.sku && ofProducts[fault.code]);
  return faults.map(fault => problem(fault, nameOf)).join(' ') || (ofRequests[code] ?? message);
}

/** What became of one line of a guest's cart. */
export const outcome = ({ outcome, quantity }) => ({
  added: 'added: #',
  summed: 'added to what you had: # now',
  overwritten: 'the guest’s quantity stands: #',
  kept: 'your quantity stands: #',
  capped: 'no more than # can be had',
  dropped: 'left out: the cart is full, or in another currency',
})[outcome].replace('#', figure(quantity));

/** What limits a product, in a few words each. */
export function limits({ purchaseLimit, customerLimit, minimumQuantity, quantityStep, availableFrom, availableUntil }) {
  return [
    Date.parse(availableFrom) > Date.now() && `On sale from ${date(availableFrom)}`,
    availableUntil && `${Date.parse(availableUntil) > Date.now() ? 'On sale until' : 'Off sale since'} ${date(availableUntil)}`,
    quantityStep > 1 && `Sold in ${quantityStep}s`,
    minimumQuantity > 1 && minimumQuantity !== quantityStep && `From ${minimumQuantity} on`,
    purchaseLimit && `At most ${purchaseLimit} an order`,
    customerLimit && `At most ${customerLimit} a customer`,
  ].filter(Boolean);
}

/** Whether this moment is outside the sale window. */
export const isOffSale = ({ availableFrom, availableUntil }) =>
  Date.parse(availableFrom) > Date.now() || Date.parse(availableUntil) <= Date.now();

/** What is left, where that is counted and little: the words, and how they are to look. */
export const stock = left => left == null || left > 20 ? null : left ? [`${left} left`, 'warn'] : ['Sold out', 'bad'];

/** The next quantities of a line, up and down; null where there is none, and then why. */
export function room({ quantity, extraData, current }) {
  const { minimumQuantity: least = 1, quantityStep: step = 1, purchaseLimit, customerLimit } = extraData;
  const left = current?.availableQuantity;
  const [most, whyNotUp] = [
    [left, left ? `Only ${figure(left)} left` : 'Sold out'],
    [purchaseLimit, `${purchaseLimit} is the most in one order`],
    [customerLimit, `${customerLimit} is the most for a customer`],
    [1e6, '1,000,000 is the most'],
  ].filter(([end]) => end != null).sort(([a], [b]) => a - b)[0];
  const bottom = Math.ceil(least / step) * step;
  const up = Math.max(bottom, (Math.floor(quantity / step) + 1) * step);
  const down = (Math.ceil(quantity / step) - 1) * step;
  const isSold = current?.purchasable;
  return {
    up: isSold && up <= most ? up : null, whyNotUp: isSold ? whyNotUp : 'Not to be had at the moment',
    down: down >= bottom ? down : null, whyNotDown: bottom > 1 ? `At least ${bottom}` : '',
  };
}
