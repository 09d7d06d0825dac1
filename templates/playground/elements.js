// Interactive elements. `screen.press(block, element, value, node)` delivers; `screen.hold` keeps what is filled in.

import { el } from "./dom.js";
import { emoji, emojiText } from "./emoji.js";
import { directory } from "./directory.js";
import { confirmed } from "./dialogs.js";

const words = (object) => emojiText(object?.text);

export function element(block, part, screen) {
  const render = RENDERERS[part.type];
  return render ? render(block, part, screen) : el("code", { class: "b-unknown" }, `${part.type} is not drawn here`);
}

async function press(block, part, screen, value, node) {
  if (part.confirm && !(await confirmed(part.confirm))) return false;
  node.classList.add("busy");
  node.setAttribute("aria-busy", "true");
  const answer = await screen.press(block, part, value);
  node.classList.remove("busy");
  node.removeAttribute("aria-busy");
  node.classList.toggle("failed", answer.acknowledged === false || Boolean(answer.error));
  return true;
}

function button(block, part, screen) {
  const node = el("button", {
    type: "button", class: `btn ${part.style || ""}`, "aria-label": part.accessibility_label,
    onclick: () => {
      if (part.url && /^https?:/.test(part.url)) window.open(part.url, "_blank", "noopener");
      press(block, part, screen, part.value, node);
    },
  }, emoji(part.text?.text ?? ""));
  return node;
}

function menu(block, part, screen, choices, chosen) {
  const inForm = block.type === "input";
  const node = el("select", {
    class: "menu", "aria-label": block.label ? words(block.label) : words(part.placeholder) || part.action_id,
    onchange: async () => {
      screen.hold(block, part, node.value || null);
      if (inForm && !block.dispatch_action) return;
      const went = await press(block, part, screen, node.value, node);
      if (!went) node.value = chosen || "";
    },
  }, el("option", { value: "" }, words(part.placeholder) || "Select an item"), choices);
  node.value = screen.held(block, part) ?? chosen ?? "";
  return node;
}

const option = (item) => el("option", { value: item.value, title: item.description ? words(item.description) : undefined }, words(item.text));

function staticSelect(block, part, screen) {
  const choices = part.option_groups
    ? part.option_groups.map((group) => el("optgroup", { label: words(group.label) }, group.options.map(option)))
    : (part.options || []).map(option);
  return menu(block, part, screen, choices, part.initial_option?.value);
}

function usersSelect(block, part, screen) {
  const people = directory.people().filter((person) => !person.bot);
  return menu(block, part, screen, people.map((person) => el("option", { value: person.id }, person.real_name)), part.initial_user);
}

function overflow(block, part, screen) {
  const list = el("div", { class: "overflow-list", role: "menu" }, part.options.map((item) =>
    el("button", { type: "button", role: "menuitem", onclick: () => {
      place.removeAttribute("open");
      press(block, part, screen, item.value, place);
    } }, words(item.text))));
  const place = el("details", { class: "overflow" }, el("summary", { class: "btn", "aria-label": "More actions" }, "⋯"), list);
  return place;
}

function textInput(block, part, screen) {
  const node = el(part.multiline ? "textarea" : "input", {
    class: "field", type: part.multiline ? undefined : part.type === "number_input" ? "number" : "text",
    placeholder: words(part.placeholder), "aria-label": words(block.label), rows: part.multiline ? 3 : undefined,
    autocomplete: "off", oninput: () => screen.hold(block, part, node.value),
  });
  node.value = screen.held(block, part) ?? part.initial_value ?? "";
  return node;
}

function choices(block, part, screen) {
  const several = part.type === "checkboxes";
  const before = screen.held(block, part) ?? (several ? (part.initial_options || []).map((item) => item.value) : part.initial_option?.value);
  const name = `${block.block_id}/${part.action_id}`;
  const group = el("div", { class: "choices", role: several ? "group" : "radiogroup", "aria-label": words(block.label) });
  const changed = () => {
    const ticked = [...group.querySelectorAll("input:checked")].map((box) => box.value);
    const value = several ? ticked : ticked[0] ?? null;
    screen.hold(block, part, value);
    if (block.type !== "input") press(block, part, screen, value, group);
  };
  group.append(...part.options.map((item) => {
    const box = el("input", { type: several ? "checkbox" : "radio", name, value: item.value, onchange: changed });
    box.checked = several ? (before || []).includes(item.value) : before === item.value;
    return el("label", { class: "choice" }, box, el("span", {}, words(item.text),
      item.description && el("small", {}, words(item.description))));
  }));
  return group;
}

const RENDERERS = {
  button, workflow_button: button, static_select: staticSelect, external_select: staticSelect, users_select: usersSelect, overflow,
  plain_text_input: textInput, number_input: textInput, email_text_input: textInput, url_text_input: textInput,
  radio_buttons: choices, checkboxes: choices,
};

export function inputBlock(block, screen) {
  return el("div", { class: "b-input" },
    el("div", { class: "b-label" }, words(block.label), block.optional && el("span", { class: "optional" }, " (optional)")),
    element(block, block.element, screen),
    el("div", { class: "b-error", role: "alert" }),
    block.hint && el("div", { class: "b-hint" }, words(block.hint)));
}
