/** Hit ratio and latency over time. */
const { $, el, hear, Plot, duration, count } = globalThis.live;

const MOST = 120;
/** The decades of the latency axis: from 10 µs to 1 s. */
const [LEAST, DECADES] = [-2, 5];

const readsOf = ({ fresh, stale, shared, misses }) => fresh + stale + shared + misses;
const ago = (sample, plot) => `${Math.round((plot.samples.at(-1).at - sample.at) / 1000)} s ago`;

function decade(milliseconds) {
  if (milliseconds === null) return undefined;
  return Math.min(1, Math.max(0, (Math.log10(milliseconds) - LEAST) / DECADES));
}

/** Shows figures as text, and gives them back. */
function figure(element, strong, rest) {
  element.replaceChildren(el("strong", {}, strong), rest);
  return strong + rest;
}

const reads = new Plot($("reads-plot"), {
  label: "Hit ratio of the last two minutes",
  ticks: [[0, "0 %"], [0.5, "50 %"], [1, "100 %"]],
  draw(plot, add) {
    for (const sample of plot.samples) {
      const all = readsOf(sample);
      if (all === 0) continue;
      let from = 0;
      for (const kind of ["fresh", "stale", "shared", "misses"]) {
        const to = from + sample[kind] / all;
        plot.bar(add, kind, sample, from, to);
        from = to;
      }
    }
  },
  describe(sample, chosen) {
    const when = chosen ? `, ${ago(chosen, reads)}` : " a second";
    if (!sample || readsOf(sample) === 0) return figure($("reads-figure"), "–", ` no reads${chosen ? when : ""}`);
    const all = readsOf(sample);
    const share = Math.floor((sample.fresh + sample.stale) / all * 100);
    return figure(
      $("reads-figure"),
      `${share} %`,
      ` of ${count(all)} reads${when}, origin asked ${count(sample.origin)}×`,
    );
  },
});

const latency = new Plot($("latency-plot"), {
  label: "Latency of reads in the last two minutes",
  ticks: [[0, "10 µs"], [0.2, "100 µs"], [0.4, "1 ms"], [0.6, "10 ms"], [0.8, "100 ms"], [1, "1 s"]],
  draw(plot, add) {
    plot.line(add, "trip", ({ redis }) => decade(redis));
    plot.line(add, "p99", ({ p99 }) => decade(p99));
    plot.line(add, "p50", ({ p50 }) => decade(p50));
  },
  describe(sample, chosen) {
    const when = chosen ? `, ${ago(chosen, latency)}` : "";
    if (!sample || sample.p50 === null) return figure($("latency-figure"), "–", ` no reads${when}`);
    const trip = sample.redis === null ? "" : `, Redis ${duration(sample.redis)}`;
    return figure($("latency-figure"), duration(sample.p50), ` median, p99 ${duration(sample.p99)}${trip}${when}`);
  },
});

function show(samples) {
  for (const plot of [reads, latency]) {
    plot.samples = samples;
    plot.render();
  }
}

hear("hello", ({ samples, store }) => {
  document.querySelector(".key.trip").hidden = store !== "redis";
  show(samples);
});
hear("sample", (sample) => show([...reads.samples, sample].slice(-MOST)));
