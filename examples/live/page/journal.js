/** What happened, the newest first. */
const { $, el, hear, clock } = globalThis.live;

hear("journal", (entries) => {
  if (entries.length === 0) {
    return $("journal").replaceChildren(el("li", {}, el("span"), el("span", { class: "empty" }, "Nothing yet")));
  }
  $("journal").replaceChildren(...entries.map(({ at, text, mood, times }) => {
    const what = times > 1 ? `${text} (${times} times)` : text;
    return el("li", {}, el("time", {}, clock(at)), el("span", { class: mood }, what));
  }));
});
