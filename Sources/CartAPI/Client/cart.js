/**
 * The cart of a shop in its pages. It keeps the last cart seen, sends changes one after the other, repeats what got no
 * answer, and stays in step with other tabs and devices. cart.d.ts beside it has the types and says more.
 */

/** A request that was refused, or got no answer. */
export class CartError extends Error {
  /**
   * @param {string} code the problem's; without a problem `http_404` and the like, without an answer `network`
   * @param {object} [more] `isUnknown` is true where the change may have been carried out all the same
   */
  constructor(code, { status = 0, problem = null, retryAfter = null, isUnknown = false } = {}) {
    super(problem?.detail ?? `The shop could not be reached (${code}).`);
    Object.assign(this, { name: 'CartError', code, status, problem, retryAfter, isUnknown });
  }
}

const mostAttempts = 5;
const secondsOfAnAttempt = 15;
const secondsOfWaiting = 30;

/** `crypto.randomUUID` is missing on plain http. */
const randomKey = () => crypto.randomUUID?.() ??
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');

/** A signal that comes after so many seconds, or with another one. */
function within(seconds, signal) {
  const controller = new AbortController();
  const end = () => controller.abort();
  setTimeout(end, seconds * 1000);
  signal.addEventListener('abort', end, { signal: controller.signal });
  return controller.signal;
}

const linePath = sku => '/cart/lines/' + encodeURIComponent(sku);
const orderPath = id => '/orders/' + encodeURIComponent(id);

export class Cart extends EventTarget {
  #base;
  #headers;
  #guestId;
  #channel;
  #state = null;
  #etag = null;
  #source = 'live';
  #pending = 0;
  /** Settled when the last request of the queue is. */
  #tail = Promise.resolve();
  /** A refresh whose turn has not come. */
  #refresh = null;
  /** The order that is on its way, or whose answer never came. */
  #order = null;
  /** Ends the requests of one shopper. */
  #shopper = new AbortController();
  #listening = new AbortController();

  constructor({ base = new URL('.', import.meta.url).href, headers, guestId } = {}) {
    super();
    this.#base = new URL(base, globalThis.document?.baseURI).href.replace(/\/$/, '');
    this.#headers = headers;
    this.#guestId = guestId;
    if (globalThis.BroadcastChannel) {
      this.#channel = new BroadcastChannel('cart ' + this.#base);
      this.#channel.onmessage = ({ data }) => this.#hear(data);
    }
    for (const type of ['focus', 'visibilitychange', 'pageshow', 'online']) {
      globalThis.addEventListener?.(type, event => this.#look(event), { signal: this.#listening.signal });
    }
  }

  get state() { return this.#state; }

  get source() { return this.#source; }

  get pending() { return this.#pending; }

  refresh() {
    return this.#refresh ??= this.#enqueue(signal => {
      this.#refresh = null;
      return this.#send(signal, 'GET', '/cart');
    });
  }

  add(sku, quantity = 1, extraData) { return this.#request('POST', '/cart/lines', { sku, quantity, extraData }); }

  addAll(lines) { return this.#request('POST', '/cart/lines', { lines }); }

  set(sku, change) {
    return this.#request('PATCH', linePath(sku), typeof change === 'number' ? { quantity: change } : change);
  }

  remove(what) {
    if (typeof what === 'string') return this.#request('DELETE', linePath(what));
    const filter = Array.isArray(what) ? what.map(sku => ['sku', sku]) : what;
    return this.#request('DELETE', '/cart/lines?' + new URLSearchParams(filter));
  }

  clear() { return this.#request('DELETE', '/cart'); }

  select(selected, what) {
    const filter = what === 'all' ? { all: true } : what.merchantId ? what : { skus: [what].flat() };
    return this.#request('PUT', '/cart/selection', { selected, ...filter });
  }

  acknowledgePrices(skus) { return this.#request('POST', '/cart/prices/acknowledge', { skus }); }

  merge(strategy) { return this.#request('POST', '/cart/merge', { strategy }); }

  sync() { return this.#request('POST', '/cart/sync'); }

  validate() { return this.#request('POST', '/cart/validate'); }

  async order({ skus, data, ...more } = {}) {
    const { totals, lines, version } = this.#state ?? {};
    const seen = skus && lines
      ? lines.reduce((sum, line) => sum + (skus.includes(line.sku) ? line.lineTotal : 0), 0)
      : totals?.selected;
    const order = {
      what: JSON.stringify([skus, data]),
      body: { expectedTotal: seen, cartVersion: version, skus, data, ...more },
      key: randomKey(),
    };
    // The same once more: a second click, or the first answer was lost. If that was carried out, its key brings the
    // order back; if not, it still asks for the cart as it was then.
    const former = this.#order;
    if (former?.what === order.what) {
      try {
        return await this.#place(former);
      } catch (error) {
        if (error.isUnknown || !error.status) throw error;
      }
    }
    return this.#place(order);
  }

  orders(options = {}) {
    const given = Object.entries(options).filter(([, value]) => value != null);
    return this.#request('GET', '/orders?' + new URLSearchParams(given));
  }

  getOrder(id) { return this.#request('GET', orderPath(id)); }

  cancelOrder(id) { return this.#request('POST', orderPath(id) + '/cancel'); }

  reset() {
    this.#channel?.postMessage({ isReset: true });
    return this.#startAnew();
  }

  close() {
    this.#listening.abort();
    this.#channel?.close();
    this.#shopper.abort(new CartError('closed'));
  }

  #startAnew() {
    this.#shopper.abort(new CartError('shopper_changed'));
    this.#shopper = new AbortController();
    this.#state = this.#etag = this.#order = this.#refresh = null;
    return this.refresh();
  }

  /** Another tab has seen a cart, or another shopper. It never says what is in the cart: each tab asks for itself. */
  #hear({ isReset, version, owner }) {
    const { state } = this;
    if (isReset) this.#startAnew().catch(() => {});
    else if (state && !globalThis.document?.hidden && (state.version !== version || state.owner !== owner)) {
      this.refresh().catch(() => {});
    }
  }

  /** A page that comes back may show an old cart. Whatever is on its way already will tell as well. */
  #look({ type, persisted }) {
    if (this.#pending || globalThis.document?.hidden || (type === 'pageshow' && !persisted)) return;
    this.refresh().catch(() => {});
  }

  async #place(order) {
    this.#order = order;
    try {
      const placed = await this.#request('POST', '/orders', order.body, order.key);
      if (this.#order === order) this.#order = null;
      // What was ordered has left the cart.
      this.refresh().catch(() => {});
      return placed;
    } catch (error) {
      if (this.#order === order && !error.isUnknown) this.#order = null;
      throw error;
    }
  }

  #request(method, path, body, key = randomKey()) {
    const text = body && JSON.stringify(body);
    return this.#enqueue(signal => this.#send(signal, method, path, text, key));
  }

  /** Runs a task after all that came before it. */
  #enqueue(task) {
    const { signal } = this.#shopper;
    this.#pending++;
    const done = this.#tail.then(() => task(signal)).finally(() => this.#pending--);
    this.#tail = done.catch(() => {});
    return done;
  }

  /** Repeats a request until an answer counts; a change under one key, so that it has one effect. */
  async #send(signal, method, path, body, key) {
    for (let attempt = 1, waited = 0; ; attempt++) {
      const [answer, content] = await this.#attempt(signal, method, path, body, key);
      const status = answer?.status ?? 0;
      if (answer) this.#learn(answer, content);
      if (answer?.ok || status === 304) return !content || content.merchants ? this.#state : content;
      const isRunning = content?.code === 'request_in_progress';
      const isUnknown = isRunning || [0, 429, 502, 503, 504].includes(status);
      const retryAfter = Number(answer?.headers.get('Retry-After')) || null;
      const wait = retryAfter ?? (0.5 + Math.random()) * 0.3 * 3 ** (attempt - 1);
      waited += wait;
      if (isRunning) attempt--;
      if (!isUnknown || attempt === mostAttempts || waited > secondsOfWaiting) {
        const code = content?.code ?? (status ? `http_${status}` : 'network');
        throw new CartError(code, { status, problem: content, retryAfter, isUnknown });
      }
      await new Promise(resolve => { within(wait, signal).onabort = resolve; });
      signal.throwIfAborted();
    }
  }

  /** The answer to one attempt and its JSON; null where there is none. */
  async #attempt(signal, method, path, body, key) {
    const isRead = method === 'GET';
    const headers = { ...await this.#headers?.() };
    const guest = this.#guestId?.get();
    if (guest) headers['Guest-Cart-Id'] = guest;
    if (body) headers['Content-Type'] = 'application/json';
    if (!isRead) headers['Idempotency-Key'] = key;
    else if (path === '/cart' && this.#etag) headers['If-None-Match'] = this.#etag;
    // Who follows a link just after a click keeps the change; browsers allow that up to 64 KiB.
    const keepalive = !isRead && !(body?.length > 20000);
    signal.throwIfAborted();
    let answer = null;
    let content = null;
    try {
      answer = await fetch(this.#base + path, {
        method, headers, body, keepalive, signal: within(secondsOfAnAttempt, signal),
      });
      if (answer.status !== 304) content = await answer.json();
    } catch (error) {
      // Cut off, or somebody else's page with status 200.
      if (answer?.ok || !(error instanceof SyntaxError)) answer = null;
    }
    signal.throwIfAborted();
    return [answer, content];
  }

  /** Takes over what an answer says of the cart, and tells the page and the other tabs. */
  #learn(answer, content) {
    const cart = content?.merchants ? content : content?.cart;
    const merge = cart?.merge;
    const issued = answer.headers.get('Guest-Cart-Id');
    if (issued || merge?.strategy) this.#guestId?.set(issued);
    if (!cart && answer.status !== 304) return;
    const before = this.#state;
    const formerSource = this.#source;
    this.#source = answer.headers.get('Cart-Source') ?? 'live';
    // Answers come in order, so each is newer than the last; but the database may be a second behind.
    const isOlder = this.#source !== 'live' && before?.owner === cart.owner && before.version > cart.version;
    if (cart && !isOlder) {
      this.#state = cart;
      this.#etag = answer.headers.get('ETag');
    } else if (this.#source === formerSource) return;
    const isReplayed = answer.headers.has('Idempotent-Replayed');
    this.dispatchEvent(new CustomEvent('change', { detail: { cart: this.#state, merge, isReplayed } }));
    const { version, owner } = this.#state;
    if (before?.version !== version || before.owner !== owner) this.#channel?.postMessage({ version, owner });
  }
}
