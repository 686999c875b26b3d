"use strict";
/* Draws the figures of the page, those in sight first. Colours come from the style sheet, so that dark, light and paper differ. */
(() => {
  const NARROW = 760, PAPER = 680, ROW_OF_LEGEND = 19, LINE_OF_TITLE = 16;
  const root = document.documentElement;
  const places = [...document.querySelectorAll("[data-figure]")];
  const figures = new Map();
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const unpacked = async (id) => {
    const text = atob(document.getElementById(id).textContent);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);  // several times as fast as Uint8Array.from
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  const coloured = (value, style) => {
    if (typeof value === "string") {
      const name = /^var\((--[\w-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => coloured(each, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, coloured(each, style)]));
    }
    return value;
  };

  const folded = (text, columns) => {
    let length = 0;
    return text.split(" ").map((word) => {
      length += word.length + 1;
      if (length <= columns + 1) return word;
      length = word.length + 1;
      return "<br>" + word;
    }).join(" ").replaceAll(" <br>", "<br>");
  };

  /* Where there is no room beside the plots, the legends stand below them. */
  const fitted = (figure, width) => {
    const { data, layout } = coloured(figure, getComputedStyle(root));
    layout.width = width;
    if (width < NARROW) {
      const named = new Set();
      data.forEach((trace) => {
        trace.legend = "legend";
        trace.showlegend = trace.showlegend && !named.has(trace.name);
        if (trace.showlegend) named.add(trace.name);
      });
      const shown = data.filter((trace) => trace.showlegend).length;
      const room = 30 + ROW_OF_LEGEND * Math.ceil(shown / Math.max(1, Math.floor(width / 300)));
      const inner = layout.height - layout.margin.t - layout.margin.b;
      layout.xaxis.title.text = folded(layout.xaxis.title.text, (width - 150) / 6.5);
      layout.margin.b += LINE_OF_TITLE * (layout.xaxis.title.text.split("<br>").length - 1);
      layout.height = inner + layout.margin.t + layout.margin.b;
      layout.legend = { orientation: "h", x: 0, y: -(layout.margin.b - 4) / inner, yanchor: "top", font: { size: 10 }, bgcolor: "rgba(0,0,0,0)" };
      layout.margin = { ...layout.margin, l: 52, r: 12, b: layout.margin.b + room };
      layout.height += room;
      layout.annotations.forEach((each) => { each.font = { size: 11 }; each.text = folded(each.text, (width - 150) / 6.5); });
    }
    return { data, layout };
  };

  const draw = (place, width) => {
    const { data, layout } = fitted(figures.get(place), width || Math.floor(place.clientWidth));
    const before = place._fullLayout && place._fullLayout.xaxis;
    if (before) layout.xaxis.range = [...before.range];
    return Plotly.react(place, data, layout, { displayModeBar: false, responsive: false, doubleClick: "reset" });
  };

  const distance = (place) => {
    const box = place.getBoundingClientRect();
    return box.bottom < 0 ? -box.bottom : Math.max(0, box.top - innerHeight);
  };

  const redraw = () => {
    const width = root.classList.contains("printing") ? PAPER : 0;
    return Promise.all([...figures.keys()].map((place) => draw(place, width)));
  };

  const move = (place, how) => {
    const axis = place._fullLayout && place._fullLayout.xaxis;
    if (!axis) return;
    const [start, end] = axis.range, length = end - start;
    const whole = figures.get(place).layout.xaxis.range;
    const range = {
      earlier: [start - length / 4, end - length / 4],
      later: [start + length / 4, end + length / 4],
      in: [start + length / 4, end - length / 4],
      out: [start - length / 2, end + length / 2],
      whole: [...whole],
    }[how];
    Plotly.relayout(place, { "xaxis.range": range });
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (button) move(document.querySelector(`#${CSS.escape(button.dataset.for)} .plot`), button.dataset.move);
  });

  const start = async () => {
    const script = document.createElement("script");
    script.textContent = await unpacked("library");
    document.head.append(script);
    const waiting = [...places];
    while (waiting.length) {
      waiting.sort((one, other) => distance(one) - distance(other));
      const place = waiting.shift();
      figures.set(place, JSON.parse(await unpacked(place.dataset.figure)));
      await draw(place);
      place.dataset.drawn = "yes";
      await new Promise((done) => setTimeout(done));
    }
    root.dataset.plots = "drawn";
  };

  let width = innerWidth, pending = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(pending);
    pending = setTimeout(() => redraw(), 150);
  });
  dark.addEventListener("change", () => redraw());
  addEventListener("beforeprint", () => { root.classList.add("printing"); redraw(); });
  addEventListener("afterprint", () => { root.classList.remove("printing"); redraw(); });
  start();
})();
