/** Pictures, and what is known of them. */
const { $, el, hear, ask, press, say, duration, count } = globalThis.live;

const TURNS = { 3: "180°", 6: "90° to the right", 8: "90° to the left" };

function item({ filename, url, type, size, hash, width, height, orientation, shown }) {
  const turned = TURNS[orientation] ? `, stored ${width} × ${height}, turned ${TURNS[orientation]}` : "";
  const image = el("img", { src: url, alt: "", width: shown.width, height: shown.height, loading: "lazy" });
  return el(
    "li",
    {},
    el("span", { class: "thumb" }, image),
    el(
      "span",
      {},
      filename,
      el("span", { class: "detail" }, `${shown.width} × ${shown.height}${turned}`),
      el("span", { class: "detail" }, `${type}, ${count(size)} B`),
      el("span", { class: "detail" }, `SHA-256 ${hash.slice(0, 12)}…`),
    ),
  );
}

async function refresh() {
  const { status, body } = await ask("/live/images");
  if (status !== 200) return say($("images-said"), body.detail ?? `The service answered ${status}`, true);
  const { images, milliseconds, read } = body;
  $("images-figure").replaceChildren(el("strong", {}, `${images.length}`), " pictures");
  const known = [...$("images").querySelectorAll("img")].map((image) => image.getAttribute("src"));
  if (known.join() !== images.map(({ url }) => url).join()) $("images").replaceChildren(...images.map(item));
  const from = read === 0 ? "none was read from disk" : `${read} read from disk`;
  say($("images-said"), `Known in ${duration(milliseconds)}, ${from}.`);
}

press($("ask-images"), refresh);
press($("forget-images"), async () => {
  const { status, body } = await ask("/live/images/forget", "POST");
  say(
    $("images-said"),
    status === 200 ? "Forgotten: the next to ask has them read again." : body.detail,
    status !== 200,
  );
});
hear("hello", refresh);
