// rich_text: nothing in it is parsed, every piece says what it is.

import { el } from "./dom.js";
import { emoji } from "./emoji.js";
import { date, group, link, mention } from "./mrkdwn.js";
import { directory } from "./directory.js";

const PIECES = {
  text: (piece) => styled(emoji(String(piece.text ?? "")), piece.style),
  link: (piece) => styled(link(piece.url || "", piece.text || piece.url), piece.style),
  emoji: (piece) => emoji(`:${piece.name}:`),
  user: (piece) => mention(piece.user_id),
  usergroup: (piece) => group(piece.usergroup_id),
  channel: (piece) => el("span", { class: "mention" }, `#${directory.channel(piece.channel_id)?.name || piece.channel_id}`),
  broadcast: (piece) => el("span", { class: "mention loud" }, `@${piece.range}`),
  date: (piece) => date(`${piece.timestamp}^${piece.format || "{date} at {time}"}`, piece.fallback || ""),
};

function styled(content, style = {}) {
  let node = content;
  for (const [name, tag] of [["code", "code"], ["strike", "s"], ["italic", "em"], ["bold", "strong"]]) {
    if (style[name]) node = el(tag, {}, node);
  }
  return node;
}

const pieces = (list) => (list || []).map((piece) => (PIECES[piece.type] ? PIECES[piece.type](piece) : JSON.stringify(piece)));

export function richText(elements) {
  return (elements || []).map((part) => {
    if (part.type === "rich_text_list") {
      return el(part.style === "ordered" ? "ol" : "ul", {}, part.elements.map((item) => el("li", {}, pieces(item.elements))));
    }
    if (part.type === "rich_text_preformatted") return el("pre", { class: "code" }, pieces(part.elements));
    if (part.type === "rich_text_quote") return el("blockquote", {}, pieces(part.elements));
    return el("div", { class: "rich" }, pieces(part.elements));
  });
}
