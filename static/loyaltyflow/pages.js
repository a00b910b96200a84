/* Draws every <canvas data-chart> from the JSON next to it, in the colours of the style sheet, and again when the theme changes. */
const colour = (name) => {
  const pixel = document.createElement("canvas").getContext("2d");
  pixel.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  pixel.fillRect(0, 0, 1, 1);
  const [r, g, b] = pixel.getImageData(0, 0, 1, 1).data;
  return (alpha = 1) => `rgba(${r}, ${g}, ${b}, ${alpha})`;
};

const drawn = new Map();

const weekly = (canvas, data) => {
  const ink = colour("--lf-before"), quiet = colour("--lf-quiet"), line = colour("--lf-line");
  const written = (value) => value.toLocaleString(data.locale);
  const last = data.labels.length - 1;
  const shape = { stack: "sent", borderSkipped: false, borderRadius: 2, maxBarThickness: 34, categoryPercentage: 0.72, barPercentage: 1 };
  const bars = data.series.map((series, number) => {
    const shade = colour(`--lf-series-${(number % 2) + 1}`);
    return { type: "bar", label: series.label, data: series.values, backgroundColor: data.labels.map((_, i) => shade(i === last ? 0.4 : 1)), hoverBackgroundColor: shade(0.85), ...shape };
  });
  const before = { type: "line", label: "12 weeks before", data: data.before, borderColor: ink(), borderDash: [4, 4], borderWidth: 1.5, stack: "before", pointRadius: 0, tension: 0.25 };
  const font = { family: "Inter", size: 11 };
  return new Chart(canvas, {
    data: { labels: data.labels, datasets: [before, ...bars] },
    options: {
      animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
      onClick: (_, [bar]) => { if (bar && data.links[bar.index]) location.assign(data.links[bar.index]); },
      onHover: (_, [bar]) => { canvas.style.cursor = bar && data.links[bar.index] ? "pointer" : ""; },
      plugins: { legend: { display: false }, tooltip: { callbacks: { title: (items) => `Week of ${items[0].label}`, label: (item) => `${item.dataset.label}: ${written(item.parsed.y)} sent` } } },
      scales: {
        x: { stacked: true, grid: { display: false }, border: { color: line() }, ticks: { color: quiet(), font, maxRotation: 0, autoSkipPadding: 10 } },
        y: { stacked: true, beginAtZero: true, suggestedMax: 10, border: { display: false }, grid: { color: line(0.7) }, ticks: { color: quiet(), maxTicksLimit: 6, precision: 0, padding: 8, font, callback: written } },
      },
    },
  });
};

/* Days of a segment: how many were in it, and below how many entered (up) and left (down). */
const axes = (data, more) => {
  const quiet = colour("--lf-quiet"), line = colour("--lf-line"), font = { family: "Inter", size: 11 };
  const written = (value) => Math.abs(value).toLocaleString(data.locale);
  return {
    x: { stacked: true, grid: { display: false }, border: { color: line() }, ticks: { color: quiet(), font, maxRotation: 0, autoSkipPadding: 24 } },
    y: { stacked: true, border: { display: false }, grid: { color: line(0.7) }, ticks: { color: quiet(), maxTicksLimit: 5, precision: 0, padding: 8, font, callback: written }, afterFit: (axis) => { axis.width = 56; }, ...more },
  };
};
const daily = (canvas, data, type, datasets, scales) => new Chart(canvas, {
  type,
  data: { labels: data.labels, datasets },
  options: {
    animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false }, scales,
    plugins: { legend: { display: false }, tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${Math.abs(item.raw).toLocaleString(data.locale)}` } } },
  },
});
const size = (canvas, data) => {
  const shade = colour("--lf-series-1");
  const line = { label: "Members", data: data.values, borderColor: shade(), backgroundColor: shade(0.12), fill: true, borderWidth: 2, pointRadius: 0, pointHitRadius: 8, stepped: false, tension: 0 };
  return daily(canvas, data, "line", [line], axes(data, { beginAtZero: true, suggestedMax: 10 }));
};
const moves = (canvas, data) => {
  const bars = [["Entered", data.entered, 1], ["Left", data.left.map((value) => -value), 2]];
  const datasets = bars.map(([label, values, number]) => ({ label, data: values, backgroundColor: colour(`--lf-series-${number}`)(), maxBarThickness: 12, categoryPercentage: 0.9, barPercentage: 0.9 }));
  return daily(canvas, data, "bar", datasets, axes(data, data.top ? { min: -data.top, max: data.top } : { suggestedMax: 4, suggestedMin: -4 }));
};
const kinds = { weekly, size, moves };

const draw = () => document.querySelectorAll("canvas[data-chart]").forEach((canvas) => {
  drawn.get(canvas)?.destroy();
  drawn.set(canvas, kinds[canvas.dataset.chart](canvas, JSON.parse(document.getElementById(canvas.dataset.chart).textContent)));
});

// On a phone the cells of a list name themselves, in the words of the column's head.
const label = () => document.querySelectorAll("#result_list [data-label]").forEach(({ dataset }) => { dataset.label = dataset.label.replace(/^./u, (sign) => sign.toUpperCase()); });

addEventListener("DOMContentLoaded", () => {
  label();
  draw();
  document.fonts.load("11px Inter").then(draw);  // a canvas does not wait for its font by itself
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["class"] });
});
