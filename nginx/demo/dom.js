// Elements, patched in place, so that focus and typing outlive a rendering. Data become text, never markup.

const properties = ['checked', 'indeterminate', 'value'];
const inData = ['action', 'key', 'merchant', 'outcome', 'sku', 'to'];
const inSVG = ['svg', 'use', 'ellipse', 'text'];
/** Inputs that hold what has not been sent yet. */
const edited = new WeakSet();
document.addEventListener('input', ({ target }) => edited.add(target));
for (const type of ['change', 'focusout']) document.addEventListener(type, ({ target }) => edited.delete(target), true);

/**
 * An element. What is null, undefined or false is left out; some attributes are kept in data-*, of which `key` tells an
 * element from its like when the page is patched.
 */
export function h(name, attributes = {}, ...children) {
  const node = document.createElementNS(`http://www.w3.org/${inSVG.includes(name) ? '2000/svg' : '1999/xhtml'}`, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (inData.includes(key)) node.dataset[key] = value;
    else if (properties.includes(key)) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.flat(2).filter(child => child != null && child !== false));
  return node;
}

/** The heading of a view; it has the focus when the view is entered. */
export const heading = text => h('h1', { tabindex: -1 }, text);

/** Some words each, and how they are to look. */
export const tags = list => h('p', { class: 'tags' },
  list.map(each => each && h('span', { class: `tag ${each[1] || ''}` }, each[0])));

const keyOf = node => node.dataset?.key;

function patchNode(old, next) {
  if (old.nodeName !== next.nodeName || keyOf(old) !== keyOf(next)) return old.replaceWith(next);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (next.nodeName === 'INPUT' && !edited.has(old)) {
    for (const name of properties) if (old[name] !== next[name]) old[name] = next[name];
  }
  patchChildren(old, [...next.childNodes]);
}

function patchChildren(parent, children) {
  const wanted = new Set(children.map(keyOf));
  const kept = new Map();
  for (const child of [...parent.childNodes]) {
    const key = keyOf(child);
    if (key && !wanted.has(key)) child.remove();
    else if (key) kept.set(key, child);
  }
  let at = parent.firstChild;
  for (const child of children) {
    const key = keyOf(child);
    const match = key ? kept.get(key) : at && !keyOf(at) ? at : null;
    if (match && match === at) at = at.nextSibling;
    else parent.insertBefore(match ?? child, at);
    if (match) patchNode(match, child);
  }
  while (parent.childNodes.length > children.length) parent.lastChild.remove();
}

/** Shows these children. If the control in use goes away, the next of its kind has the focus, or else the heading. */
export function patch(parent, ...children) {
  const used = document.activeElement;
  const isHere = used !== parent && parent.contains(used);
  const like = () => [...parent.querySelectorAll(`[data-action="${used.dataset.action}"]`)];
  const place = isHere ? like().indexOf(used) : -1;
  patchChildren(parent, children.flat().filter(Boolean));
  if (!isHere || parent.contains(used)) return;
  (like()[place] ?? like().at(-1) ?? parent.querySelector('h1')).focus({ preventScroll: true });
}

const formats = {};

/** An amount in minor units; their exponent is the cart's or order's own, or else what the browser knows. */
export function money(amount, { currency, minorUnit: digits }) {
  const format = formats[currency + digits] ??= new Intl.NumberFormat('en-GB',
    { style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits });
  return format.format(amount / 10 ** (digits ?? format.resolvedOptions().maximumFractionDigits));
}

export const date = (text, more = { dateStyle: 'long' }) => new Intl.DateTimeFormat('en-GB', more).format(new Date(text));

export const figure = number => number.toLocaleString('en-GB');

export const capital = text => text.charAt(0).toUpperCase() + text.slice(1);

/** "1 piece", "2 pieces". */
export const count = (number, one) => `${figure(number)} ${one}${number === 1 ? '' : 's'}`;
