// In a narrow window the sidebar and the playground's panel lie over the conversation, each behind its button.

import { byId } from "./dom.js";

const DRAWERS = ["sidebar", "panel"];

export function draw(name, open) {
  document.body.classList.toggle(`${name}-open`, open);
  byId(`${name}-toggle`).setAttribute("aria-expanded", String(open));
}

export const closeDrawers = () => DRAWERS.forEach((name) => draw(name, false));

export function startDrawers() {
  for (const name of DRAWERS) {
    byId(`${name}-toggle`).addEventListener("click", () => {
      const open = !document.body.classList.contains(`${name}-open`);
      closeDrawers();
      draw(name, open);
    });
  }
  byId("pane").addEventListener("click", closeDrawers);
  document.addEventListener("keydown", (event) => event.key === "Escape" && closeDrawers());
}
