// The one websocket to the stand-in: what it tells is handed to listeners by kind, what we ask gets its own answer.

const listeners = new Map();
const waiting = new Map();
let socket = null;
let number = 0;
let pause = 250;
let greet = () => {};

export function on(kind, listener) {
  listeners.set(kind, listener);
}

export function onOpen(listener) {
  greet = listener;
}

export function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/page`);
  socket.addEventListener("open", () => {
    pause = 250;
    greet();
  });
  socket.addEventListener("message", (frame) => {
    const told = JSON.parse(frame.data);
    if (told.kind === "reply") {
      waiting.get(told.to)?.(told);
      waiting.delete(told.to);
    } else listeners.get(told.kind)?.(told);
  });
  socket.addEventListener("close", () => {
    for (const answer of waiting.values()) answer({ error: "The playground has gone away; this page reconnects by itself." });
    waiting.clear();
    listeners.get("gone")?.();
    setTimeout(connect, pause);
    pause = Math.min(pause * 2, 4000);
  });
}

export function ask(kind, content = {}) {
  return new Promise((resolve) => {
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      resolve({ error: "The playground is not reachable; this page reconnects by itself." });
      return;
    }
    number += 1;
    waiting.set(number, resolve);
    socket.send(JSON.stringify({ ...content, kind, id: number }));
  });
}
