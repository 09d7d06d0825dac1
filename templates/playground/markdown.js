// The `markdown` block: standard Markdown, as much of it as cards use.

import { el } from "./dom.js";
import { emoji } from "./emoji.js";
import { link } from "./mrkdwn.js";

const STYLES = [
  [/`([^`]+)`/, (match) => el("code", {}, match[1])],
  [/\*\*([^*]+)\*\*/, (match) => el("strong", {}, spans(match[1]))],
  [/\*([^*]+)\*|(?<!\w)_([^_]+)_(?!\w)/, (match) => el("em", {}, spans(match[1] || match[2]))],
  [/~~([^~]+)~~/, (match) => el("s", {}, spans(match[1]))],
  [/\[([^\]]+)\]\(([^)\s]+)\)/, (match) => link(match[2], match[1])],
];

function spans(text) {
  let first = null;
  for (const [pattern, make] of STYLES) {
    const match = pattern.exec(text);
    if (match && (!first || match.index < first.match.index)) first = { match, make };
  }
  if (!first) return text ? [emoji(text)] : [];
  const { match, make } = first;
  return [...spans(text.slice(0, match.index)), make(match), ...spans(text.slice(match.index + match[0].length))];
}

export function markdown(text) {
  const nodes = [];
  let list = null;
  let code = null;
  for (const line of String(text ?? "").split("\n")) {
    if (line.startsWith("```")) {
      if (code === null) nodes.push((code = el("pre", { class: "code" })));
      else code = null;
      continue;
    }
    if (code) {
      code.append(`${line}\n`);
      continue;
    }
    const item = /^\s*(?:([-*+])|\d+\.)\s+(.*)$/.exec(line);
    if (item) {
      if (!list) nodes.push((list = el(item[1] ? "ul" : "ol")));
      list.append(el("li", {}, spans(item[2])));
      continue;
    }
    list = null;
    const heading = /^#{1,6}\s+(.*)$/.exec(line);
    if (heading) nodes.push(el("h4", {}, spans(heading[1])));
    else if (/^>\s?/.test(line)) nodes.push(el("blockquote", {}, spans(line.replace(/^>\s?/, ""))));
    else if (line.trim()) nodes.push(el("p", {}, spans(line)));
  }
  return nodes;
}
