/** What the other scripts have in common, as `live`. */
const duration = (milliseconds) => {
  if (milliseconds < 0.1) return `${(milliseconds * 1000).toFixed(0)} µs`;
  if (milliseconds < 10) return `${milliseconds.toFixed(milliseconds < 1 ? 2 : 1)} ms`;
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
};

globalThis.live = {
  $: (id) => document.getElementById(id),

  /** An element. What is shown in it is text, never markup. */
  el(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  },

  /** Parts of the page hear of each other by events of the document. */
  tell: (name, detail) => document.dispatchEvent(new CustomEvent(`live:${name}`, { detail })),
  hear: (name, listener) => document.addEventListener(`live:${name}`, ({ detail }) => listener(detail)),

  /** Asks the service. Resolves to a status of 0 when it does not answer. */
  async ask(path, method = "GET", body = undefined) {
    try {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      const response = await fetch(path, init);
      return { status: response.status, headers: response.headers, body: await response.json().catch(() => ({})) };
    } catch {
      return { status: 0, headers: new Headers(), body: { detail: "The service does not answer" } };
    }
  },

  /** What a button does, once at a time. It keeps the focus meanwhile. */
  press(button, act) {
    button.addEventListener("click", async () => {
      if (button.ariaBusy === "true") return;
      button.ariaBusy = "true";
      try {
        await act();
      } finally {
        button.ariaBusy = "false";
      }
    });
  },

  /** Says what came of it; screen readers read it out. */
  say(element, text, bad = false) {
    element.textContent = text;
    element.classList.toggle("bad", bad);
  },

  /** Loads once for all who want it at the same time, and once more for those who wanted it meanwhile. */
  refresher(load) {
    let running;
    let next;
    const start = () => running = load().finally(() => running = undefined);
    return () => {
      if (!running) return start();
      return next ??= running.then(() => {
        next = undefined;
        return start();
      });
    };
  },

  duration,
  count: (value) => value.toLocaleString("en", { maximumFractionDigits: 0 }),
  bytes: (value) => value < 10_000 ? `${value.toLocaleString("en")} B` : `${(value / 1e6).toFixed(1)} MB`,
  span: (seconds) => {
    const [unit, length] =
      [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]].find(([, length]) => seconds >= length) ?? ["s", 1];
    return `${Math.floor(seconds / length)} ${unit}`;
  },
  clock: (at) => new Date(at).toLocaleTimeString("en-GB"),
  countdown: (seconds) => {
    const whole = Math.ceil(seconds);
    const two = (value) => String(Math.floor(value) % 60).padStart(2, "0");
    return whole < 3600
      ? `${Math.floor(whole / 60)}:${two(whole)}`
      : `${Math.floor(whole / 3600)}:${two(whole / 60)}:${two(whole)}`;
  },
};
