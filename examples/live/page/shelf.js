/** What is cached, by category, and what can be done to it. */
const { $, el, hear, ask, press, say, duration, count } = globalThis.live;

const cells = new Map();
let paused = false;

function aisle(category, products) {
  const name = category.replaceAll("-", " ");
  const row = products.map((product) => {
    const cell = el("span", { class: "cell", "data-held": "false", title: product.name });
    cells.set(product.id, cell);
    return cell;
  });
  const outcome = el("span", { class: "outcome", role: "status" });
  const read = el("button", { type: "button", "aria-label": `Read ${name}` }, "Read");
  const invalidate = el("button", { type: "button", "aria-label": `Invalidate ${name}` }, "Invalidate");
  press(read, async () => {
    const { status, body } = await ask(`/live/read/${category}`, "POST");
    if (status !== 200) return show(outcome, body.detail);
    const { hits, stale, misses, milliseconds } = body;
    const found = [[hits, "hit"], [stale, "stale"], [misses, "miss"]].filter(([times]) => times > 0)
      .map(([times, what]) => `${times} ${times > 1 ? { hit: "hits", stale: "stale", miss: "misses" }[what] : what}`);
    show(outcome, `${found.join(", ")} in ${duration(milliseconds)}`, misses > 0 ? "miss" : "hit");
  });
  press(invalidate, async () => {
    const { status, body } = await ask(`/live/invalidate/${category}`, "POST");
    show(outcome, status === 200 ? invalidated(body.status) : body.detail);
  });
  const squares = el("span", { class: "cells", role: "img", "aria-label": `${products.length} products` }, ...row);
  return el(
    "div",
    { class: "aisle" },
    el("h3", {}, name),
    squares,
    outcome,
    el("span", { class: "actions" }, read, invalidate),
  );
}

function show(outcome, text, kind = "") {
  outcome.textContent = text;
  outcome.className = `outcome ${kind}`;
}

function invalidated(status) {
  return status === "done" ? "Invalidated: the next read is a miss" : "Queued until Redis is back";
}

function build(products) {
  const known = $("shelf").querySelectorAll(".cell").length;
  if (known === products.length) return; // after a reconnect it is all there
  cells.clear();
  const categories = Map.groupBy(products, ({ category }) => category);
  $("shelf").replaceChildren(...[...categories].map(([category, products]) => aisle(category, products)));
}

function mark([id, fate]) {
  const cell = cells.get(id);
  if (!cell) return;
  cell.dataset.held = fate === "hit" || fate === "stale" || fate === "loaded";
  cell.classList.remove("hit", "loaded");
  if (fate === "gone") return;
  void cell.offsetWidth; // so that the animation begins anew
  cell.classList.add(fate === "hit" || fate === "stale" ? "hit" : "loaded");
}

function tally() {
  const held = [...cells.values()].filter(({ dataset }) => dataset.held === "true").length;
  $("shelf-figure").replaceChildren(el("strong", {}, `${held}`), ` of ${cells.size} products`);
  for (const group of $("shelf").querySelectorAll(".cells")) {
    const held = group.querySelectorAll('[data-held="true"]').length;
    group.ariaLabel = `${held} of ${group.children.length} products are cached`;
  }
}

function showReaders(now) {
  paused = now;
  $("readers").ariaPressed = String(paused);
}

hear("hello", (hello) => {
  build(hello.products);
  showReaders(hello.paused);
  tally();
});
hear("shelf", (changes) => {
  changes.forEach(mark);
  tally();
});
hear("readers", (readers) => showReaders(readers.paused));

press($("readers"), async () => {
  const { status, body } = await ask(`/live/readers/${paused ? "resume" : "pause"}`, "POST");
  if (status !== 200) return say($("shelf-said"), body.detail, true);
  showReaders(body.paused);
  say($("shelf-said"), body.paused ? "Nobody reads by themselves now." : "Readers come again, about 30 a second.");
});
press($("crowd"), async () => {
  const { status, body } = await ask("/live/crowd", "POST");
  if (status !== 200) return say($("shelf-said"), body.detail, true);
  const { readers, name, asked, milliseconds } = body;
  const times = asked === 1 ? "once" : `${asked} times`;
  say(
    $("shelf-said"),
    `${count(readers)} readers of “${name}”: the origin was asked ${times}, in ${duration(milliseconds)}.`,
  );
});
press($("invalidate-all"), async () => {
  const { status, body } = await ask("/live/invalidate/all", "POST");
  say($("shelf-said"), status === 200 ? `${invalidated(body.status)}.` : body.detail, status !== 200);
});
