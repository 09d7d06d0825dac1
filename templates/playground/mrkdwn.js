// Slack's mrkdwn. What stands in <...> is taken out first and entities are opened last, so that a correctly escaped
// "&lt;!channel&gt;" is shown as these letters, and never as a mention.

import { el } from "./dom.js";
import { directory } from "./directory.js";
import { emoji } from "./emoji.js";

const SAFE_LINK = /^(https?:|mailto:)/i;
const FIRST_SLOT = 0xe000;

export const unescaped = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

export function mrkdwn(text) {
  const slots = [];
  const held = String(text ?? "")
    .replace(/[\ue000-\uf8ff]/g, "")
    .replace(/<([^<>\n]+)>/g, (_, inner) => String.fromCharCode(FIRST_SLOT + slots.push(special(inner)) - 1));
  return blocksOf(held, slots);
}

function blocksOf(text, slots) {
  const nodes = [];
  for (const [place, part] of text.split("```").entries()) {
    if (place % 2 === 1) nodes.push(el("pre", { class: "code" }, leaf(part.replace(/^\n|\n$/g, ""), slots, false)));
    else nodes.push(...linesOf(part, slots, place > 0));
  }
  return nodes;
}

function linesOf(text, slots, afterCode) {
  const nodes = [];
  let quote = null;
  const lines = (afterCode ? text.replace(/^\n/, "") : text).split("\n");
  lines.forEach((line, place) => {
    const quoted = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (quoted) {
      if (!quote) nodes.push((quote = el("blockquote")));
      else quote.append(el("br"));
      quote.append(...inline(quoted[1], slots));
      return;
    }
    const last = place === lines.length - 1;
    if (place > 0 && !quote && !(last && line === "")) nodes.push(el("br"));
    quote = null;
    nodes.push(...inline(line, slots));
  });
  return nodes;
}

const STYLES = [
  [/`([^`\n]+)`/, "code"],
  [/(?<![\w*])\*(\S|\S[^*\n]*\S)\*(?![\w*])/, "strong"],
  [/(?<![\w_])_(\S|\S[^_\n]*\S)_(?![\w_])/, "em"],
  [/(?<![\w~])~(\S|\S[^~\n]*\S)~(?![\w~])/, "s"],
];

function inline(text, slots) {
  let first = null;
  for (const [pattern, tag] of STYLES) {
    const match = pattern.exec(text);
    if (match && (!first || match.index < first.match.index)) first = { match, tag };
  }
  if (!first) return leaf(text, slots, true);
  const { match, tag } = first;
  const inner = tag === "code" ? leaf(match[1], slots, false) : inline(match[1], slots);
  return [
    ...leaf(text.slice(0, match.index), slots, true),
    el(tag, {}, inner),
    ...inline(text.slice(match.index + match[0].length), slots),
  ];
}

function leaf(text, slots, withEmoji) {
  return text.split(/([\ue000-\uf8ff])/).filter((part) => part !== "").flatMap((part) => {
    const slot = slots[part.charCodeAt(0) - FIRST_SLOT];
    if (part.length === 1 && slot) return [slot.cloneNode(true)];
    return withEmoji ? emoji(unescaped(part)) : [unescaped(part)];
  });
}

function special(inner) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : unescaped(inner.slice(bar + 1));
  if (target.startsWith("@")) return mention(target.slice(1), label);
  if (target.startsWith("#")) return el("span", { class: "mention" }, `#${directory.channel(target.slice(1))?.name || label || target.slice(1)}`);
  if (target.startsWith("!subteam^")) return group(target.slice(9), label);
  if (target.startsWith("!date^")) return date(target.slice(6), label);
  if (target.startsWith("!")) return el("span", { class: "mention loud" }, `@${target.slice(1)}`);
  if (SAFE_LINK.test(target)) return link(unescaped(target), label);
  return el("span", {}, `<${unescaped(inner)}>`);
}

export function link(url, label) {
  return SAFE_LINK.test(url)
    ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label || url.replace(/^mailto:/, ""))
    : el("span", {}, label || url);
}

export function mention(id, label = "") {
  const person = directory.person(id);
  return el("span", { class: `mention ${id === directory.viewer ? "me" : ""}` }, `@${person?.real_name || label || id}`);
}

export function group(id, label = "") {
  const found = directory.group(id);
  const mine = found?.members.includes(directory.viewer);
  return el("span", { class: `mention ${mine ? "me" : ""}` }, found ? `@${found.handle}` : label || `@${id}`);
}

export function date(rest, fallback) {
  const [epoch, format = "{date} at {time}", url] = rest.split("^");
  const at = new Date(Number(epoch) * 1000);
  if (Number.isNaN(at.getTime())) return el("span", {}, fallback);
  const words = format.replace(/\{(\w+)\}/g, (whole, token) => DATES[token]?.(at) ?? whole);
  const shown = el("time", { datetime: at.toISOString(), title: fallback || at.toISOString(), class: "date" }, unescaped(words));
  return url && SAFE_LINK.test(url) ? link(url, words) : shown;
}

const pretty = (otherwise) => (at) => {
  const days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86400000);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days] ?? otherwise(at);
};
const short = (at) => at.toLocaleDateString([], { month: "short", day: "numeric", year: "numeric" });
const long = (at) => at.toLocaleDateString([], { weekday: "long", month: "long", day: "numeric", year: "numeric" });
const plain = (at) => at.toLocaleDateString([], { month: "long", day: "numeric", year: "numeric" });
const DATES = {
  date: plain,
  date_num: (at) => at.toISOString().slice(0, 10),
  date_short: short,
  date_long: long,
  date_pretty: pretty(plain),
  date_short_pretty: pretty(short),
  date_long_pretty: pretty(long),
  time: (at) => at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
  time_secs: (at) => at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  ago: (at) => `${Math.max(0, Math.round((Date.now() - at.getTime()) / 60000))} minutes ago`,
};
