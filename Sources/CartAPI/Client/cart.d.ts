/**
 * The cart of a shop in its pages.
 *
 * ```js
 * import { Cart } from '/v1/cart.js';
 *
 * const cart = new Cart();
 * cart.addEventListener('change', ({ detail }) => show(detail.cart));
 * await cart.refresh();
 * await cart.add('LF-1001', 2);
 * ```
 *
 * Requests go out one after the other and never overtake each other. A change carries an `Idempotency-Key` and is
 * repeated under it after a network error, 429, 502, 503 and 504, up to five attempts and half a minute of waiting, so
 * that it has one effect however often its answer is lost. Tabs tell each other that something has changed, and each
 * then asks the server; a page also asks when it is looked at again and when the network is back.
 *
 * At login, call {@link Cart.reset} once the new login is in force. At logout, `await cart.sync()`, end the login, then
 * call `reset()`. Nothing of the former shopper is shown or sent after that, here or in another tab.
 */
export class Cart extends EventTarget {
  constructor(options?: CartOptions);

  /** The last cart seen; null before the first answer. Never change it: it changes with each answer. */
  readonly state: CartState | null;

  /**
   * `database` while the cart can be read but not changed: it may then lack the last second's changes. An answer from
   * there never takes the place of a newer cart of the same shopper.
   */
  readonly source: 'live' | 'database';

  /** Requests that wait or run. */
  readonly pending: number;

  /** Asks for the cart. Where it is the same as before, the state stays and there is no event. */
  refresh(): Promise<CartState>;

  /** Adds to what is there. */
  add(sku: string, quantity?: number, extraData?: ClientData): Promise<CartState>;

  /** Adds 1 to 100 lines, all or none. */
  addAll(lines: readonly NewLine[]): Promise<CartState>;

  /** Changes one line; a number is its quantity, and 0 removes it. */
  set(sku: string, change: number | LineChange): Promise<CartState>;

  /** Removes a line, 1 to 100 lines, those that are selected, or those of a merchant. */
  remove(what: string | readonly string[] | { selected: true } | { merchantId: string }): Promise<CartState>;

  /** Removes every line. */
  clear(): Promise<CartState>;

  /** Selects or deselects; a string other than `'all'` is a SKU, and `['all']` the SKU of that name. */
  select(selected: boolean, what: 'all' | { merchantId: string } | string | readonly string[]): Promise<CartState>;

  /** The shopper accepts the prices of now, of all lines or of those named: the marks go away. */
  acknowledgePrices(skus?: readonly string[]): Promise<CartState>;

  /**
   * Merges the guest's cart into the user's by a strategy other than the shop's. A login needs no call: the first
   * request afterwards merges, and its `change` event says how.
   */
  merge(strategy?: MergeStrategy): Promise<CartState>;

  /** The cart is kept for good when this resolves. */
  sync(): Promise<{ version: number; persistedVersion: number }>;

  /** The checks of an order, against the exact stock, without one. */
  validate(): Promise<{ ok: boolean; problems: CartProblem[]; total: number }>;

  /**
   * Orders the selected lines, or those named, of the cart that was last seen: where it has changed, or its total has,
   * the order is refused with 412 `version_mismatch` or 409 `total_changed`, and `state` is the cart of now.
   *
   * Call it again with the same `skus` and `data` after an error with `isUnknown`: if the first was carried out, that
   * very order comes back. So it does for a second click. The cart without the ordered lines follows by an event.
   */
  order(options?: OrderOptions): Promise<Order>;

  /** The shopper's orders, newest first; `before` takes the `next` of the page before. */
  orders(options?: { limit?: number; before?: string | null }): Promise<{ orders: Order[]; next: string | null }>;

  getOrder(id: string): Promise<Order>;

  cancelOrder(id: string): Promise<Order>;

  /**
   * The shopper is another now. Forgets the cart, rejects what is queued or running with `shopper_changed`, does both in
   * the other tabs, and asks for the new cart.
   */
  reset(): Promise<CartState>;

  /** Rejects what is queued or running with `closed` and listens to nothing any more. */
  close(): void;

  addEventListener(
    type: 'change', listener: ((event: CustomEvent<CartChange>) => void) | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener(
    type: 'change', listener: ((event: CustomEvent<CartChange>) => void) | null, options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions,
  ): void;
}

export interface CartOptions {
  /** Where the cart is served; by default the folder that cart.js came from, such as `/v1`. */
  base?: string;
  /** Headers of every request, such as `Authorization`, asked for at each attempt. */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
  /**
   * For those who keep the guest's id themselves, where there are no cookies: `get` is asked before each request, `set`
   * is told each new id, and null when the guest's cart has become part of a user's.
   */
  guestId?: { get(): string | null; set(id: string | null): void };
}

/** The detail of a `change` event: a cart has come, with a success or with a refusal. */
export interface CartChange {
  cart: CartState;
  /** What became of the guest's cart, in the one answer that merged it. */
  merge?: CartMerge;
  /** The change had been carried out by an attempt whose answer was lost. */
  isReplayed: boolean;
}

/** A request that was refused, or got no answer. The cart has not changed, unless `isUnknown`. */
export class CartError extends Error {
  constructor(
    code: string,
    more?: { status?: number; problem?: Problem | null; retryAfter?: number | null; isUnknown?: boolean },
  );
  readonly name: 'CartError';
  /** 0 without an answer. */
  readonly status: number;
  /**
   * The problem's code, such as `insufficient_stock`. Else `http_404` and the like for an answer that is no problem,
   * `network` without an answer, `shopper_changed` after {@link Cart.reset}, `closed` after {@link Cart.close}.
   */
  readonly code: string;
  /** The body of the refusal. */
  readonly problem: Problem | null;
  /** Seconds. */
  readonly retryAfter: number | null;
  /** Whether the change may have been carried out all the same: there was no answer in time. */
  readonly isUnknown: boolean;
}

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  /** That of the first error. */
  code: string;
  detail: string;
  requestId: string;
  errors: FieldError[];
  /** The cart as it is, where it matters; it is the client's `state` by then. */
  cart?: CartState;
}

export interface FieldError {
  /** Where it lies in the body that was sent (RFC 6901). */
  pointer: string;
  code: string;
  sku?: string;
  /** The quantity that the line would have. */
  requested?: number;
  available?: number;
  limit?: number;
}

/** Amounts are integers in the currency's minor unit: 298 is £2.98 where `minorUnit` is 2. Times are RFC 3339, UTC. */
export interface CartState {
  /** Raised by one with each change; 0 for a cart never written. */
  version: number;
  owner: 'guest' | 'user';
  /** ISO 4217; null for an empty cart. */
  currency: string | null;
  /** Digits of the minor unit; null for an empty cart. */
  minorUnit: number | null;
  /** When a guest's cart goes away; null for users. */
  expiresAt: string | null;
  /** In the order of their first add. */
  lines: CartLine[];
  merchants: CartMerchant[];
  counts: { lines: number; quantity: number; selectedLines: number; selectedQuantity: number };
  /** `selected` counts the lines that are selected and can be bought. */
  totals: { all: number; selected: number };
  /** What would stop an order of the selected lines now. */
  problems: CartProblem[];
  /** In the one answer that merged. */
  merge?: CartMerge;
}

export interface CartLine {
  sku: string;
  merchantId: string;
  quantity: number;
  selected: boolean;
  addedAt: string;
  /** What the shopper saw. */
  snapshot: { name: string; picture: string | null; unitPrice: number };
  /** Null for a SKU that the catalogue no longer has; `availableQuantity` is null where stock is not counted. */
  current: { unitPrice: number; purchasable: boolean; availableQuantity: number | null } | null;
  /** Null where the price is still the one that the shopper saw. */
  priceChange: { direction: 'increase' | 'decrease'; from: number; to: number } | null;
  /** The server's keys, each where it says something, and the client's own beside them. */
  extraData: ServerData & ClientData;
  lineTotal: number;
}

/** Keys that a client may not use. */
export interface ServerData {
  stock?: 'out' | 'insufficient' | 'low' | 'in';
  /** The most in one order. */
  purchaseLimit?: number;
  /** The most over all orders of a user. */
  customerLimit?: number;
  minimumQuantity?: number;
  quantityStep?: number;
  availableFrom?: string;
  availableUntil?: string;
}

/** JSON of the client's own, up to 1 KiB for a line. */
export type ClientData = Record<string, unknown>;

export interface CartMerchant {
  merchantId: string;
  selection: 'all' | 'some' | 'none';
  lines: number;
  selectedTotal: number;
}

export interface CartProblem {
  code: string;
  /** Absent for `cart_empty`. */
  sku?: string;
  requested?: number;
  available?: number;
  limit?: number;
}

export type MergeStrategy = 'sum' | 'overwrite' | 'keep' | 'max';

export type CartMerge =
  | { strategy: MergeStrategy; lines: MergedLine[]; pending?: undefined }
  /** It will be merged later: a store is away. */
  | { pending: true; strategy?: undefined; lines?: undefined };

/** A line of the guest's. */
export interface MergedLine {
  sku: string;
  outcome: 'added' | 'summed' | 'overwritten' | 'kept' | 'capped' | 'dropped';
  quantity: number;
}

export interface NewLine {
  sku: string;
  /** 1 where it is left out. */
  quantity?: number;
  extraData?: ClientData;
}

/** One or more of these, but never `quantity` with `delta`. */
export interface LineChange {
  quantity?: number;
  /** Added to the quantity; down to 0 removes the line. */
  delta?: number;
  selected?: boolean;
  /** Takes the place of the client's former keys. */
  extraData?: ClientData;
}

export interface OrderOptions {
  /** Those lines, selected or not. */
  skus?: readonly string[];
  /** The client's own, up to 4 KiB of JSON. */
  data?: Record<string, unknown>;
  /** What the shopper saw; by default `state.totals.selected`, or the sum of the lines named. */
  expectedTotal?: number;
  /** What the shopper saw; by default `state.version`. */
  cartVersion?: number;
}

export interface Order {
  id: string;
  status: 'placed' | 'accepted' | 'cancelled';
  currency: string;
  minorUnit: number;
  total: number;
  /** The client's own. */
  data: Record<string, unknown>;
  lines: OrderLine[];
  placedAt: string;
  /** That of the cart after what was ordered has left it. */
  cartVersion: number;
}

export interface OrderLine {
  sku: string;
  merchantId: string;
  name: string;
  picture: string | null;
  quantity: number;
  unitPrice: number;
  lineTotal: number;
  extraData: ClientData;
}
