// A page's module as its developer would write it: cart.d.ts must allow it, and must name what cart.js has.
import { Cart, CartError, type CartState, type Order } from './cart.js';
import * as module from './module.js';

type Same<A, B> = [Exclude<A, B>, Exclude<B, A>] extends [never, never] ? true : [Exclude<A, B>, Exclude<B, A>];
export const members: Same<keyof Cart, keyof module.Cart> = true;
export const names: Same<keyof typeof import('./cart.js'), keyof typeof module> = true;

export function open(token: string): Cart {
  const cart = new Cart({ base: '/v1', headers: async () => ({ Authorization: `Bearer ${token}` }) });
  cart.addEventListener('change', ({ detail }) => {
    const state: CartState = detail.cart;
    if (detail.merge?.pending) return;
    console.log(state.totals.selected, detail.merge?.lines.map(line => line.outcome), detail.isReplayed);
  });
  return cart;
}

export async function use(cart: Cart): Promise<Order | null> {
  await cart.add('a');
  await cart.add('a', 2, { gift: true });
  await cart.addAll([{ sku: 'a' }, { sku: 'b', quantity: 2 }]);
  await cart.set('a', 3);
  await cart.set('a', { delta: -1, selected: true });
  await cart.select(true, 'all');
  await cart.select(false, { merchantId: 'm' });
  await cart.remove(['a', 'b']);
  await cart.remove({ selected: true });
  // @ts-expect-error: what is not selected can't be removed by that.
  await cart.remove({ selected: false });
  const stock: 'out' | 'insufficient' | 'low' | 'in' | undefined = cart.state?.lines[0].extraData.stock;
  if (stock === 'out' || cart.source === 'database') return null;
  const { next } = await cart.orders({ limit: 10 });
  await cart.orders({ before: next });
  try {
    return await cart.order({ skus: ['a'], data: { note: '' } });
  } catch (error) {
    if (error instanceof CartError && error.problem) console.log(error.problem.errors[0].pointer, error.isUnknown);
    return null;
  } finally {
    await cart.sync();
    await cart.reset();
    cart.close();
    // @ts-expect-error: a cart is not changed by hand.
    cart.state = null;
  }
}
