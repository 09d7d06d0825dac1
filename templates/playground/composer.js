// The place to type: command hints from the app's manifest, mentions, history by arrow up.

import { el, toast } from "./dom.js";
import { directory } from "./directory.js";
import { ask } from "./wire.js";

export function composer({ label, placeholder, commands, target }) {
  const history = JSON.parse(sessionStorage.getItem("history") || "[]");
  let at = history.length;
  let chosen = -1;
  const list = el("div", { class: "hints", role: "listbox", "aria-label": "Suggestions", hidden: true });
  const box = el("textarea", { rows: 1, "aria-label": label, placeholder, autocomplete: "off", spellcheck: "false" });
  const button = el("button", { type: "submit", class: "send", "aria-label": "Send", title: "Send" }, "➤");
  const form = el("form", { class: "composer", onsubmit: (event) => {
    event.preventDefault();
    send();
  } }, list, box, el("div", { class: "composer-foot" }, el("span", {}, hintWords(target)), button));

  async function send() {
    const text = box.value.trim();
    if (!text) return;
    remember(text);
    box.value = "";
    refresh();
    const answer = await ask("send", { text, ...target() });
    if (answer.error) {
      toast(answer.error, "bad");
      if (!box.value) box.value = text;
    }
  }

  function remember(text) {
    if (history.at(-1) !== text) history.push(text);
    at = history.length;
    sessionStorage.setItem("history", JSON.stringify(history.slice(-50)));
  }

  function refresh() {
    box.style.setProperty("height", "auto");
    box.style.setProperty("height", `${Math.min(box.scrollHeight, 180)}px`);
    button.classList.toggle("ready", box.value.trim() !== "");
    const found = suggestions(box.value, target().thread_ts ? [] : commands());
    chosen = -1;
    list.hidden = found.length === 0;
    list.replaceChildren(...found.map((hint) =>
      el("button", { type: "button", role: "option", class: "hint", onmousedown: (event) => {
        event.preventDefault();
        take(hint);
      } }, el("b", {}, hint.shown), el("span", {}, hint.about))));
    list.taken = found;
  }

  function take(hint) {
    box.value = hint.value;
    box.focus();
    refresh();
    list.hidden = true;
  }

  function keys(event) {
    if (event.isComposing) return;
    const open = !list.hidden;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (open && chosen >= 0) take(list.taken[chosen]);
      else send();
    } else if (event.key === "Tab" && open) {
      event.preventDefault();
      take(list.taken[Math.max(chosen, 0)]);
    } else if (event.key === "Escape") {
      list.hidden = true;
    } else if (open && (event.key === "ArrowDown" || (event.key === "ArrowUp" && chosen >= 0))) {
      event.preventDefault();
      chosen = Math.max(-1, Math.min(list.taken.length - 1, chosen + (event.key === "ArrowDown" ? 1 : -1)));
      [...list.children].forEach((node, place) => node.setAttribute("aria-selected", String(place === chosen)));
    } else if (event.key === "ArrowUp" && (box.value === "" || at < history.length) && at > 0) {
      event.preventDefault();
      at -= 1;
      box.value = history[at];
    } else if (event.key === "ArrowDown" && at < history.length) {
      event.preventDefault();
      at += 1;
      box.value = history[at] || "";
    }
  }

  box.addEventListener("input", refresh);
  box.addEventListener("keydown", keys);
  box.addEventListener("blur", () => (list.hidden = true));
  return {
    node: form,
    put(text) {
      box.value = text;
      box.focus();
      refresh();
      list.hidden = true;
    },
    focus: () => box.focus(),
  };
}

const hintWords = (target) => (target().thread_ts ? "In a thread there are no commands: mention @ferry" : "Type / for commands, @ to mention, ↑ for history");

function suggestions(text, commands) {
  if (text.startsWith("/") && !text.includes("\n")) {
    return commands.flatMap((command) => {
      const forms = (command.usage_hint || "").split("|").map((form) => form.trim()).filter(Boolean);
      return [{ value: `${command.command} `, shown: command.command, about: command.description },
        ...forms.map((form) => ({ value: `${command.command} ${form}`, shown: `${command.command} ${form}`, about: "" }))];
    }).filter((hint) => hint.value.startsWith(text) && hint.value.trim() !== text.trim()).slice(0, 8);
  }
  const open = /(^|\s)@([\w-]*)$/.exec(text);
  if (!open) return [];
  const before = text.slice(0, text.length - open[2].length - 1);
  return directory.people().filter((person) => person.name.startsWith(open[2].toLowerCase())).slice(0, 7).map((person) => (
    { value: `${before}@${person.name} `, shown: `@${person.name}`, about: person.bot ? "app" : `${person.real_name}, ${person.role}` }));
}
