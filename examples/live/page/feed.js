/** Hears what happens, as Server-Sent Events, as long as the page can be seen. Comes last: the others listen by now. */
const MESSAGES = ["hello", "sample", "health", "shelf", "journal", "readers", "changed"];
/** Milliseconds after which to try again when the browser does not do so by itself. */
const RETRY = 2000;

let source;
let timer;

function open() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource("/live/feed");
  for (const name of MESSAGES) {
    source.addEventListener(name, ({ data }) => globalThis.live.tell(name, JSON.parse(data)));
  }
  source.addEventListener("error", () => {
    globalThis.live.tell("away");
    if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, RETRY);
  });
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = undefined;
}

document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
globalThis.addEventListener("pagehide", close);
globalThis.addEventListener("pageshow", ({ persisted }) => persisted && open());
if (!document.hidden) open();
