// Five steps for somebody who has never seen this. They tick themselves off by what really happens.

import { byId, el } from "./dom.js";

const COMMAND = "/migrate shift api-name01 5% try it";
const done = new Set(JSON.parse(sessionStorage.getItem("tour") || "[]"));
let hooks = { put() {}, become() {}, reveal() {} };

const STEPS = [
  ["asked", ["As ", el("b", {}, "Ann"), ", ask for 5%: ", el("code", {}, COMMAND)], "Put it in the composer", () => hooks.put(COMMAND)],
  ["approved", ["Be ", el("b", {}, "Bob"), " and press ", el("b", {}, "Approve"), " on the card"], "Switch to Bob", () => hooks.become("bob")],
  ["confirmed", ["Be ", el("b", {}, "Ann"), " again and press ", el("b", {}, "Confirm")], "Switch to Ann", () => hooks.become("ann")],
  ["moved", ["Watch real requests move to the ", el("b", {}, "new cluster")], "Show the chart", () => hooks.reveal("traffic")],
  ["broken", ["Break the new cluster, and watch an alert take the traffic back"], "Show the knobs", () => hooks.reveal("knobs")],
];

export function startTour(given) {
  hooks = given;
  show();
}

function show() {
  const place = byId("tour");
  if (sessionStorage.getItem("tour-dismissed")) {
    place.hidden = true;
    return;
  }
  const next = STEPS.find(([name]) => !done.has(name))?.[0];
  place.replaceChildren(
    el("div", { class: "tour-head" }, el("h2", {}, next ? "Your first shift, in five steps" : "That is all of it. Well done."),
      el("button", { type: "button", class: "icon", "aria-label": "Dismiss the tour", onclick: () => {
        sessionStorage.setItem("tour-dismissed", "yes");
        show();
      } }, "✕")),
    el("ol", {}, STEPS.map(([name, words, label, act], place) =>
      el("li", { class: done.has(name) ? "done" : name === next ? "next" : "", "aria-current": name === next ? "step" : undefined },
        el("span", { class: "tick", role: "img", "aria-label": done.has(name) ? "done" : `step ${place + 1}` }, done.has(name) ? "✓" : String(place + 1)),
        el("div", {}, el("div", {}, words.map((word) => (typeof word === "string" ? word : word.cloneNode(true)))),
          !done.has(name) && el("button", { type: "button", class: "tour-btn", onclick: act }, label))))));
}

function tick(name) {
  if (done.has(name)) return;
  done.add(name);
  sessionStorage.setItem("tour", JSON.stringify([...done]));
  show();
}

// What the rest of the page saw happen. What a card offers now is how far its request has come: a press may be refused.
const FAR = [["confirmed", (card) => /🔵|🟢/u.test(card.title)], ["approved", offers("confirm")], ["asked", offers("approve")]];

function offers(act) {
  return (card) => card.offered.some((id) => id === act || id.endsWith(`.${act}`));
}

export function seen(messages) {
  const cards = messages.filter((message) => message.bot_id).map((message) => ({
    title: (message.blocks || []).find((block) => block.type === "header")?.text?.text ?? "",
    offered: (message.blocks || []).flatMap((block) => block.elements || []).map((part) => part.action_id || ""),
  }));
  const reached = FAR.findIndex(([, holds]) => cards.some(holds));
  if (reached >= 0) FAR.slice(reached).forEach(([name]) => tick(name));
}
export const watched = (share) => share > 0 && tick("moved");
export const turned = () => tick("broken");
