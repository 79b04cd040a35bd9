// What the API's codes mean to a shopper.
import { count, date, money } from './dom.js';

const ofProducts = {
  not_purchasable: ({ name }) => `${name} is no longer sold.`,
  out_of_stock: ({ name }) => `${name} is sold out.`,
  insufficient_stock: ({ name, available, requested }) =>
    `Only ${available ?? 'a few'} of ${name} left${requested ? `, not ${requested}` : ''}.`,
  purchase_limit: ({ name, limit }) => `${name}: at most ${limit} in one order.`,
  customer_limit: ({ name, limit }) => `${name}: at most ${limit} for each customer, earlier orders included.`,
  minimum_quantity: ({ name, limit }) => `${name} is sold from ${limit} on.`,
  quantity_step: ({ name, limit }) => `${name} is sold in steps of ${limit}.`,
  not_on_sale_yet: ({ name, from }) => `${name} is not on sale ${from ? `before ${date(from)}` : 'yet'}.`,
  no_longer_on_sale: ({ name, until }) => `${name} is no longer on sale${until ? ` since ${date(until)}` : ''}.`,
  unknown_sku: ({ name }) => `The shop does not know ${name}.`,
  currency_mismatch: ({ name }) =>
    `${name} has another currency than the cart. Order what is in it first, or clear it.`,
  line_not_found: ({ name }) => `${name} is no longer in the cart.`,
};

const ofRequests = {
  invalid_quantity: 'A quantity is a whole number up to 1,000,000.',
  too_many_lines: 'The cart is full.',
  total_too_large: 'That would make the total too large.',
  cart_empty: 'Nothing is checked that could be ordered.',
  cart_not_ready: 'The order cannot be placed as it is.',
  total_changed: 'The total has changed.',
  version_mismatch: 'The cart has changed meanwhile.',
  order_not_found: 'There is no such order of yours.',
  not_cancellable: 'This order can no longer be cancelled.',
  guest_checkout_off: 'Please log in to order.',
  bad_token: 'You are no longer logged in.',
  rate_limited: 'That was a lot at once. Please wait a moment.',
  store_unavailable: 'The shop cannot do this at the moment. Please try again soon.',
  overloaded: 'The shop is very busy. Please try again soon.',
  deadline_exceeded: 'That took too long. Please try again.',
  network: 'The shop cannot be reached. Please try again.',
};

/** @param product what is known of the SKU: its name, `from` and `until` of its sale */
export const problem = (each, product) =>
  ofProducts[each.code]?.({ ...product, ...each }) ?? ofRequests[each.code] ?? `${product.name}: ${each.code}.`;

/** An error of the client in words. `productOf` tells what is known of a SKU. */
export function error(failure, productOf) {
  const faults = (failure.problem?.errors ?? []).filter(fault => fault.sku && ofProducts[fault.code]);
  if (faults.length) return faults.map(fault => problem(fault, productOf(fault.sku))).join(' ');
  return ofRequests[failure.code] ?? failure.problem?.detail ?? failure.message;
}

/** What became of one line of a guest's cart. */
export const outcome = ({ outcome, quantity }) => ({
  added: `added: ${quantity}`,
  summed: `added to what you had: now ${quantity}`,
  overwritten: `the guest's quantity stands: ${quantity}`,
  kept: `your quantity stands: ${quantity}`,
  capped: `no more than ${quantity} can be had`,
  dropped: 'could not come along: the cart is full, or in another currency',
})[outcome] ?? `${outcome}: ${quantity}`;

/** What limits a product, in a few words each. */
export function limits({ purchaseLimit, customerLimit, minimumQuantity, quantityStep, availableFrom, availableUntil }) {
  const now = Date.now();
  const steps = quantityStep > 1 && `Sold in ${quantityStep}s`;
  return [
    Date.parse(availableFrom) > now && `On sale from ${date(availableFrom)}`,
    availableUntil && (Date.parse(availableUntil) > now ? `On sale until ${date(availableUntil)}`
      : `Not on sale since ${date(availableUntil)}`),
    steps, minimumQuantity > 1 && minimumQuantity !== quantityStep && `From ${minimumQuantity} on`,
    purchaseLimit && `At most ${purchaseLimit} an order`,
    customerLimit && `At most ${customerLimit} a customer`,
  ].filter(Boolean);
}

/** What is left, where that is counted: the words, and how they are to look. */
export function stock(left) {
  if (left == null || left > 20) return null;
  return left === 0 ? ['Sold out', 'bad'] : [`${left.toLocaleString('en-GB')} left`, 'warn'];
}

/**
 * How far a line's quantity can go up and down, and why no further: `up` and `down` are the next quantities, or null.
 */
export function room({ quantity, extraData, current }) {
  const { minimumQuantity: least = 1, quantityStep: step = 1 } = extraData;
  const ends = [
    [current?.availableQuantity, current?.availableQuantity ? `Only ${current.availableQuantity} left` : 'Sold out'],
    [extraData.purchaseLimit, `${extraData.purchaseLimit} is the most in one order`],
    [extraData.customerLimit, `${extraData.customerLimit} is the most for a customer`],
    [1e6, '1,000,000 is the most'],
  ].filter(([end]) => end != null).sort(([a], [b]) => a - b);
  const bottom = Math.ceil(least / step) * step;
  const up = Math.max(bottom, (Math.floor(quantity / step) + 1) * step);
  const down = (Math.ceil(quantity / step) - 1) * step;
  const isSold = current?.purchasable;
  return {
    up: isSold && up <= ends[0][0] ? up : null,
    down: down >= bottom ? down : null,
    whyNotUp: isSold ? ends[0][1] : 'It cannot be had at the moment',
    whyNotDown: bottom > 1 ? `Sold from ${bottom} on` : '',
  };
}

export const pieces = number => count(number, 'piece');

/** An amount of a cart or an order. */
export const amount = ({ currency, minorUnit }, value) => money(value, currency, minorUnit);
