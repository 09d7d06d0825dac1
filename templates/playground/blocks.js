// Block Kit as DOM. A screen (message, view) says what pressing an element does; blocks only draw.

import { el } from "./dom.js";
import { emoji } from "./emoji.js";
import { element, inputBlock } from "./elements.js";
import { link, mrkdwn } from "./mrkdwn.js";
import { markdown } from "./markdown.js";
import { richText } from "./rich_text.js";

export const text = (object) =>
  !object ? [] : object.type === "mrkdwn" ? mrkdwn(object.text) : [el("span", { class: "plain" }, emoji(String(object.text ?? "")))];

const RENDERERS = {
  section: (block, screen) =>
    el("div", { class: "b-section" },
      el("div", { class: "b-section-words" },
        block.text && el("div", { class: "b-text" }, text(block.text)),
        block.fields && el("div", { class: "b-fields" }, block.fields.map((field) => el("div", { class: "b-field" }, text(field))))),
      block.accessory && el("div", { class: "b-accessory" }, element(block, block.accessory, screen))),
  header: (block) => el("h3", { class: "b-header" }, text(block.text)),
  divider: () => el("hr", { class: "b-divider" }),
  context: (block) =>
    el("div", { class: "b-context" }, block.elements.map((part) =>
      part.type === "image" ? el("span", {}, "🖼 ", part.alt_text) : el("span", { class: "b-context-part" }, text(part)))),
  actions: (block, screen) => el("div", { class: "b-actions" }, block.elements.map((part) => element(block, part, screen))),
  context_actions: (block, screen) => RENDERERS.actions(block, screen),
  input: inputBlock,
  image: (block) => el("div", { class: "b-image" }, text(block.title), " 🖼 ", link(block.image_url || "", block.alt_text || "image")),
  markdown: (block) => el("div", { class: "b-text" }, markdown(block.text)),
  rich_text: (block) => el("div", { class: "b-text" }, richText(block.elements)),
  table: (block) =>
    el("div", { class: "b-table-place" }, el("table", { class: "b-table" },
      block.rows.map((row, place) => el("tr", {}, row.map((cell, column) =>
        el(place === 0 ? "th" : "td", { class: block.column_settings?.[column]?.align || "" }, cellWords(cell))))))),
  alert: (block) => el("div", { class: `b-alert ${block.level || "default"}`, role: "alert" }, text(block.text)),
};

const cellWords = (cell) => (cell.type === "rich_text" ? richText(cell.elements) : emoji(String(cell.text ?? cell.value ?? "")));

export function blocks(list, screen) {
  return (list || []).map((block) => {
    const render = RENDERERS[block.type];
    const node = render ? render(block, screen) : unknown(block);
    node.dataset.block = block.block_id || "";
    return node;
  });
}

function unknown(block) {
  return el("details", { class: "b-unknown" },
    el("summary", {}, "Block ", el("code", {}, String(block.type)), ": shown by newer Slack clients, here as JSON"),
    el("pre", { class: "code" }, JSON.stringify(block, null, 2)));
}
