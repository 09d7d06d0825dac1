// What a press or a filled-in field means, for each kind of screen.

import { ask } from "./wire.js";
import { toast } from "./dom.js";

class Screen {
  constructor(address) {
    this.address = address;
    this.values = new Map();
  }

  key = (block, part) => `${block.block_id} ${part.action_id}`;
  hold(block, part, value) {
    this.values.set(this.key(block, part), { block_id: block.block_id, action_id: part.action_id, value });
  }
  held(block, part) {
    return this.values.get(this.key(block, part))?.value;
  }
  filled() {
    return [...this.values.values()];
  }

  async press(block, part, value) {
    const answer = await ask("click", {
      ...this.address, block_id: block.block_id, action_id: part.action_id, value, filled: this.filled(),
    });
    if (answer.error) toast(answer.error, "bad");
    return answer;
  }
}

// The revision goes along: a click always belongs to what this screen showed, even when something newer exists by now.
export const messageScreen = (message) =>
  new Screen({ channel: message.channel, ts: message.ts, revision: message.revision });

export function viewScreen(view) {
  const screen = new Screen({ view_id: view.id });
  for (const [block_id, fields] of Object.entries(view.state?.values || {})) {
    for (const [action_id, entry] of Object.entries(fields)) {
      const value = entry.value ?? entry.selected_option?.value ?? entry.selected_user ?? entry.selected_options?.map((one) => one.value);
      if (value !== undefined && value !== null) screen.values.set(`${block_id} ${action_id}`, { block_id, action_id, value });
    }
  }
  return screen;
}
