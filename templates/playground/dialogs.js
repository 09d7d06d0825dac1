// Modals, confirm dialogs and other things that lie over the page. Native <dialog>: focus and Escape behave by themselves.

import { byId, el } from "./dom.js";

export function dialog(title, content, footer, { onclose, kind = "" } = {}) {
  const heading = el("h2", {}, title);
  const box = el("dialog", { class: `dialog ${kind}`, "aria-label": title },
    el("div", { class: "dialog-head" }, heading,
      el("button", { type: "button", class: "icon", "aria-label": "Close", onclick: () => box.close() }, "✕")),
    el("div", { class: "dialog-body" }, content),
    el("div", { class: "dialog-foot" }, footer));
  box.addEventListener("close", () => {
    box.remove();
    onclose?.();
  });
  byId("layers").append(box);
  box.showModal();
  const first = box.querySelector(".dialog-body input, .dialog-body textarea, .dialog-body select");
  (first || box.querySelector(".dialog-foot button:last-child"))?.focus();
  return box;
}

// Slack's confirm dialog; resolves to what the person chose.
export function confirmed(confirm) {
  return new Promise((resolve) => {
    let answer = false;
    const say = (yes) => () => {
      answer = yes;
      box.close();
    };
    const sentence = confirm.text?.type === "mrkdwn" ? import("./mrkdwn.js").then((module) => module.mrkdwn(confirm.text.text)) : null;
    const body = el("div", { class: "b-text" }, sentence ? "" : confirm.text?.text ?? "");
    sentence?.then((nodes) => body.replaceChildren(...nodes));
    const box = dialog(confirm.title?.text ?? "Are you sure?", body, [
      el("button", { type: "button", class: "btn", onclick: say(false) }, confirm.deny?.text ?? "Cancel"),
      el("button", { type: "button", class: `btn ${confirm.style === "danger" ? "danger filled" : "primary"}`, onclick: say(true) },
        confirm.confirm?.text ?? "OK"),
    ], { kind: "confirm", onclose: () => resolve(answer) });
  });
}
