// The stack of modals and the Home tab.

import { el, toast } from "./dom.js";
import { blocks, text } from "./blocks.js";
import { dialog } from "./dialogs.js";
import { viewScreen } from "./screens.js";
import { ask } from "./wire.js";

let shown = null;

// Shows the modal in front; nothing changes on the screen as long as its hash stays the same.
export function showViews(stack) {
  const view = stack.at(-1);
  const signature = view ? `${view.id} ${view.hash}` : "";
  if (shown?.signature === signature) return;
  const before = shown;
  shown = null;
  before?.box.close();
  if (!view) return;
  const screen = viewScreen(view);
  // What was typed and not yet sent survives an update of the same view, as far as its fields do.
  if (before?.id === view.id) for (const [key, entry] of before.screen.values) screen.values.set(key, entry);
  shown = { signature, id: view.id, screen, box: modal(view, screen, stack.length) };
}

function modal(view, screen, depth) {
  const body = el("div", { class: "m-blocks" }, blocks(view.blocks, screen));
  const problem = el("div", { class: "b-error", role: "alert" });
  const submit = view.submit && el("button", { type: "submit", class: "btn primary" }, text(view.submit));
  const form = el("form", { id: `form-${view.id}`, onsubmit: async (event) => {
    event.preventDefault();
    submit.classList.add("busy");
    const answer = await ask("submit", { view_id: view.id, filled: screen.filled() });
    submit.classList.remove("busy");
    complain(body, answer.errors || {});
    problem.replaceChildren(answer.error || "");
  } }, body, problem);
  submit?.setAttribute("form", form.id);
  const cancel = el("button", { type: "button", class: "btn", onclick: () => box.close() }, view.close ? text(view.close) : depth > 1 ? "Back" : "Cancel");
  const box = dialog(view.title?.text || "", form, [cancel, submit], {
    kind: "modal",
    onclose: () => {
      // Closed by the person, not because the app replaced or closed the view.
      if (shown?.box === box) {
        shown = null;
        ask("close", { view_id: view.id });
      }
    },
  });
  return box;
}

function complain(body, errors) {
  for (const place of body.querySelectorAll(".b-input")) {
    const sentence = errors[place.dataset.block] || "";
    place.classList.toggle("wrong", sentence !== "");
    place.querySelector(".b-error").replaceChildren(sentence);
  }
}

export function home(view) {
  if (!view) return el("div", { class: "nothing" }, el("h3", {}, "Nothing here yet"), el("p", {}, "The app publishes its Home tab when it hears that you opened it."));
  return el("div", { class: "home m-blocks" }, blocks(view.blocks, viewScreen(view)));
}

export async function runShortcut(callback_id, channel) {
  const answer = await ask("shortcut", { callback_id, channel });
  if (answer.error) toast(answer.error, "bad");
}
