// Builds DOM nodes. Text only ever becomes a text node: nothing in this page parses foreign text as HTML.

const SVG = "http://www.w3.org/2000/svg";

function dress(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, setting] of Object.entries(value)) node.style.setProperty(key, setting);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...nodes(children));
  return node;
}

const nodes = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

// Like replaceChildren, for children as `el` takes them: lists, and nothing at all, are welcome.
export const fill = (node, ...children) => node.replaceChildren(...nodes(children));

export function el(tag, attributes, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

export const byId = (id) => document.getElementById(id);

// Keeps the nodes whose key and content did not change, so that hover, focus and open menus survive an update.
export function patch(parent, items, keyOf, render) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = items.map((item) => {
    const key = keyOf(item);
    const content = JSON.stringify(item);
    const old = known.get(key);
    if (old && old.shownContent === content) return old;
    const fresh = render(item, old);
    fresh.dataset.key = key;
    fresh.shownContent = content;
    return fresh;
  });
  const keep = new Set(wanted);
  for (const node of [...parent.children]) if (!keep.has(node)) node.remove();
  wanted.forEach((node, place) => {
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] || null);
  });
}

export function toast(words, kind = "") {
  if (!words) return;
  const shown = el("div", { class: `toast ${kind}` }, words);
  const place = byId("toasts");
  place.append(shown);
  // Into the top layer, above whatever dialog is open now.
  place.hidePopover();
  place.showPopover();
  setTimeout(() => shown.remove(), 6000);
}

const COLOURS = ["#7c3aed", "#0e7490", "#b45309", "#be185d", "#15803d", "#475569", "#b91c1c", "#4338ca"];

export function avatar(person, size = "") {
  if (person.bot) return el("img", { class: `avatar ${size}`, src: "/assets/ferry.svg", alt: "" });
  if (person.id === "USLACKBOT") return el("span", { class: `avatar slackbot ${size}`, "aria-hidden": "true" }, "✳");
  const colour = COLOURS[(person.place ?? 0) % COLOURS.length];
  const initial = [...(person.name || person.real_name || "?")][0].toUpperCase();
  return el("span", { class: `avatar ${size}`, style: { background: colour }, "aria-hidden": "true" }, initial);
}

export const clock = (ts) => new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
