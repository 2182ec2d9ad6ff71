/** A plot of the last two minutes as SVG, as `live.Plot`: grid, times, a cursor. What is drawn into it is up to its owner. */
const SVG = "http://www.w3.org/2000/svg";
const SPAN = 120_000;
const HEIGHT = 190;
const MARGIN = { left: 46, right: 6, top: 8, bottom: 22 };

function svg(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

class Plot {
  samples = [];
  /** The sample that the pointer is at. */
  chosen;
  #holder;
  #options;
  #width = 0;

  /** `ticks` are `[y from 0 to 1, label]`; `draw(plot, add)` adds shapes; `describe(sample)` is told what to say. */
  constructor(holder, options) {
    this.#holder = holder;
    this.#options = options;
    new ResizeObserver(([entry]) => {
      this.#width = Math.floor(entry.contentRect.width);
      this.render();
    }).observe(holder);
    holder.addEventListener(
      "pointermove",
      ({ clientX }) => this.#choose(clientX - holder.getBoundingClientRect().left),
    );
    holder.addEventListener("pointerleave", () => this.#choose(undefined));
  }

  /** Where a time is, in pixels. */
  x(at) {
    const end = this.samples.at(-1)?.at ?? 0;
    return MARGIN.left + (1 - (end - at) / SPAN) * (this.#width - MARGIN.left - MARGIN.right);
  }

  /** Where a share of the height is, in pixels. */
  y(share) {
    return MARGIN.top + (1 - share) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  }

  render() {
    const width = this.#width;
    if (width < 100) return;
    const { label, ticks, draw, describe } = this.#options;
    const shown = this.chosen ?? this.samples.at(-1);
    const root = svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img" });
    root.setAttribute("aria-label", `${label}. ${describe(shown, this.chosen)}`);
    for (const [share, text] of ticks) {
      const y = this.y(share);
      root.append(
        svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }),
        svg("text", { x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, text),
      );
    }
    for (const [share, text, anchor] of [[0, "2 min ago", "start"], [0.5, "1 min ago", "middle"], [1, "now", "end"]]) {
      const x = MARGIN.left + share * (width - MARGIN.left - MARGIN.right);
      root.append(svg("text", { x, y: HEIGHT - 4, "text-anchor": anchor }, text));
    }
    const add = (name, attributes) => root.append(svg(name, attributes));
    for (const sample of this.samples) if (sample.status !== "ok") this.bar(add, "outage", sample, 0, 1);
    draw(this, add);
    // Below the axis, where nothing hides it.
    for (const sample of this.samples) if (sample.status !== "ok") this.bar(add, "trouble", sample, -0.045, -0.015);
    if (this.chosen) {
      const x = this.x(this.chosen.at - 500);
      add("line", { class: "cursor", x1: x, x2: x, y1: this.y(1), y2: this.y(0) });
    }
    this.#holder.replaceChildren(root);
  }

  /** A bar as wide as the second of a sample. */
  bar(add, kind, { at }, from, to) {
    const [left, right] = [Math.max(this.x(at - 1000), MARGIN.left), this.x(at)];
    if (right <= left || to <= from) return;
    const y = this.y(to);
    add("rect", { class: kind, x: left, y, width: right - left + 0.3, height: this.y(from) - y });
  }

  /** Lines through what a function makes of the samples, broken where there is nothing. */
  line(add, kind, share) {
    let points = [];
    let before = 0;
    const end = () => {
      if (points.length === 1) add("circle", { class: kind, cx: points[0][0], cy: points[0][1], r: 1 });
      if (points.length > 1) add("polyline", { class: kind, points: points.map((point) => point.join(",")).join(" ") });
      points = [];
    };
    for (const sample of this.samples) {
      const value = share(sample);
      if (value === undefined || sample.at - before > 2500) end();
      before = sample.at;
      const x = this.x(sample.at - 500);
      if (value !== undefined && x >= MARGIN.left) points.push([x.toFixed(1), this.y(value).toFixed(1)]);
    }
    end();
  }

  #choose(x) {
    const near = (sample) => Math.abs(this.x(sample.at - 500) - x);
    this.chosen = x === undefined ? undefined : this.samples.reduce(
      (best, sample) => best && near(best) <= near(sample) ? best : sample,
      undefined,
    );
    this.render();
  }
}

globalThis.live.Plot = Plot;
